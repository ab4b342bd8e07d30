//! What the engine needs of the world around it.

mod cache;
mod meta;
mod source;
mod strategy;
mod write;

pub use cache::{
    Cache, Cached, CachedValue, Headroom, Kept, Known, LastUse, Misses, Probe, Usage, Withdrawn,
};
pub use meta::{Claimed, Ledger};
pub use source::{Param, Query, QueryPlan, RowSource, Scan, SourceVitals, Sources};
pub use strategy::{Ask, Tracked, Wanted, WarmupStrategy, Way};
pub use write::{Checked, Mode, WriteOptions, WriteOutcome, Written};
