//! Definitions on a database: which queries are made of their SQL, and how rows become entries.

mod asked;
mod assembler;
mod assembly;
mod changes;
pub mod coded;
mod collect;
mod compose;
mod divisible;
pub mod empty;
pub mod encoded;
mod given;
mod key_query;
mod layout;
mod lookup;
mod missing;
mod order;
mod portioned;
mod portions;
pub mod prepared;
mod readers;
pub mod repetitions;
mod single;
pub mod strategy;
mod styles;
mod versions;
