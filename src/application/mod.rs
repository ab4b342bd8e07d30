//! The use case: run strategies against a cache. Knows the databases and caches only as ports.

pub mod assemble;
pub mod compose;
pub mod coordinator;
pub mod event;
pub mod ports;
pub mod query_strategy;
pub mod selection;
pub mod stop;
