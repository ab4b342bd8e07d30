//! Portions of a run that other processes warm.
//!
//! The run hands out portions in a queue in the cache and counts what comes back, as if it had written
//! it. A worker reads, writes and verifies a portion as a run would. A worker keeps its portion while it
//! works on it. One that does not keep it for ten seconds has lost it to another: it starts no further
//! write, verifies what it has written, and cannot answer.

mod answer;
pub mod crew;
mod job;
mod lease;
mod task;
mod work;
pub mod worker;

use std::time::Duration;

/// A portion that was not kept for this long goes to another worker.
const LEASE: Duration = Duration::from_secs(10);
