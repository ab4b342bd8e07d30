//! Adapters for the application's ports, one technology per module.

pub mod cache;
pub mod demo;
pub mod metrics;
pub mod source;
#[cfg(feature = "otel")]
pub mod telemetry;
