//! The settings of a run. Each is declared once, and read from flags, environment, file, job and
//! request in the same way.

pub mod group;
mod limits;
mod run;
pub mod values;
mod variables;

pub use group::{Group, Settings};
pub use limits::{Count, RateLimit};
pub use run::{READING, RunSettings, SAFETY, WARM, WORKING, whole_help};
pub use values::{Latency, Names, Span, SpanOrZero};
pub use variables::Variables;
