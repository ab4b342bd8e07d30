//! A run as it is written down: what `-o json` prints, the history keeps and the admin API answers.
//! Fields are only ever added.

pub mod history;
pub mod line;
mod run;
mod strategy;

pub use run::{RunRecord, Totals};
pub use strategy::{Found, StrategyRecord, ttl_seconds, whole_seconds};
