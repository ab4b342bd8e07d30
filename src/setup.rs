//! The composition root: builds the real parts of a run.

mod connections;
mod coordinators;
mod definitions;
pub mod doctor;
mod helper;
mod records;
mod retry;
mod sample;
pub mod server;
pub mod shop;
mod starter;

pub use crate::infrastructure::metrics::Metrics;
#[cfg(feature = "otel")]
pub use crate::infrastructure::telemetry::Traces;
pub use connections::{Access, are_configured, cache, check_urls, source};
pub use coordinators::{CacheNeed, coordinator, strategies, viewer};
pub use definitions::{advice, all_definitions, databases, definitions, schedule};
pub use helper::worker;
pub use records::{LastRun, record_refusal, write_metrics};
pub use retry::with_retries;
pub use sample::make_sample;
pub use starter::starter;
