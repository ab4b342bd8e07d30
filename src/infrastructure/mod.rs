//! The world outside, one technology a file, behind the application's ports.

pub mod cache;
pub mod demo;
pub mod metrics;
pub mod source;
#[cfg(feature = "otel")]
pub mod telemetry;
