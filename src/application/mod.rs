//! The use case: run strategies against a cache. Knows the databases and caches only as ports.

pub mod changed;
pub mod engine;
pub mod guards;
pub mod keys;
pub mod pace;
pub mod ports;
pub mod query;
pub mod record;
pub mod resume;
pub mod run_state;
pub mod runs;
pub mod schedule;
pub mod settings;
pub mod starter;
pub mod workers;
