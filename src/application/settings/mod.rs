//! How a run is done. Each setting is declared once, and read from flags,
//! environment, file, job and request alike.

pub mod group;
mod limits;
mod run;
pub mod values;

pub use group::{Group, Settings};
pub use limits::{Count, RateLimit};
pub use run::{READING, RunSettings};
pub use values::{Latency, Names, Span, SpanOrZero};
