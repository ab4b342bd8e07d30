//! What the engine needs of the world around it.

mod answer;
mod cache;
mod consent;
pub mod dialect;
mod fresh_url;
pub mod grammar;
mod meta;
pub mod param;
mod portions;
mod queue;
mod source;
mod strategy;
mod workers;
mod write;

pub use crate::domain::cached::CachedValue;
pub use crate::domain::outcome::{Checked, Inspected, WriteOutcome, Written};
pub use answer::{Answer, Known};
pub use cache::{
    Cache, Cached, Deletion, Extended, Headroom, LastUse, Misses, PermissionProbe, Replicas, Usage,
};
pub use consent::{Consent, Prunable};
pub use dialect::Dialect;
pub use fresh_url::FreshUrl;
pub use meta::{Claimed, MetaStore};
pub use param::Param;
pub use portions::PortionSql;
pub use queue::{PortionQueue, QueueOf, TakenPortion};
pub use source::{Query, QueryPlan, RowSource, Scan, SourceVitals, Sources};
pub use strategy::{
    Ask, ChangeScan, Dividing, Entries, Overtaken, Tracked, Wanted, WarmupStrategy,
};
pub use workers::{PortionAsk, ReadPortion, WarmedPortion, Workers};
pub use write::{Mode, WriteOptions};
