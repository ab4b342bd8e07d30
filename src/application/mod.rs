//! The use case: run strategies against a cache. Knows the databases and caches only as ports.

pub mod changed;
pub mod clock;
pub mod engine;
pub mod event;
pub mod guards;
pub mod history;
pub mod keys;
pub mod live;
pub mod lock;
pub mod lookup;
pub mod pace;
pub mod ports;
pub mod probe;
pub mod query;
pub mod record;
pub mod refused;
pub mod run;
pub mod run_line;
pub mod run_state;
pub mod schedule;
pub mod selection;
pub mod service;
pub mod settings;
pub mod stop;
pub mod unfit;
