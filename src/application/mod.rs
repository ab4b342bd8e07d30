//! The use case: run strategies against a cache. Knows the databases and caches only as ports.

pub mod assemble;
pub mod canary;
pub mod clock;
pub mod compose;
pub mod coordinator;
pub mod event;
mod governor;
pub mod history;
pub mod live;
pub mod lock;
pub mod lookup;
pub mod own_keys;
pub mod pace;
pub mod ports;
pub mod preview;
pub mod query_strategy;
mod recheck;
pub mod record;
mod resume;
pub mod run;
mod sample;
pub mod schedule;
pub mod selection;
pub mod service;
pub mod stop;
pub mod versions;
