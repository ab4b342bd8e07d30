//! What may end a run: each guard is a module with one entry point.

pub mod memory;
