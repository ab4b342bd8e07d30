//! What tests share. A test file imports this and no other test file.

pub mod browser;
pub mod cached;
pub mod caches;
pub mod exposition;
pub mod faults;
pub mod foreign;
pub mod held;
pub mod http;
pub mod imports;
pub mod items;
pub mod lab;
pub mod memory_cache;
pub mod memory_table;
pub mod music;
pub mod proxy;
pub mod readers;
pub mod replica;
pub mod rewriting;
pub mod sample;
pub mod servers;
pub mod shop;
pub mod shopwarm;
pub mod site;
pub mod terminal;
pub mod tools;
