//! What may hold back, end or undo what a run writes: each guard is one file with one entry.

pub mod breaker;
mod current;
pub mod identical;
pub mod memory;
pub mod recheck;
pub mod replicas;
pub mod same_cache;
pub mod shape;
pub mod size;
