//! Fills a shop's cache from its database before traffic arrives.
//!
//! Most strategies are SQL in a definition file and need no Rust. One that SQL cannot say is a
//! [`WarmupStrategy`]: register it, and your binary is `shopwarm` with one strategy more. It has every
//! command, and whatever holds for a run holds for the strategy.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use shopwarm::{Ask, Entries, EntryBatch, Registry, StrategySpec, WarmupStrategy};
//!
//! struct Countries(StrategySpec);
//!
//! impl WarmupStrategy for Countries {
//!     fn spec(&self) -> &StrategySpec {
//!         &self.0
//!     }
//!
//!     fn entries(&self, _: Ask) -> Entries<'_> {
//!         let mut batch = EntryBatch::default();
//!         batch.push_json("Country:dk", &"Danmark");
//!         batch.push_json("Country:is", &"Ísland");
//!         batch.into()
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     let spec = StrategySpec::new("geography", "countries", "Country:{code}");
//!     let countries = Countries(spec.expect("a key template"));
//!     shopwarm::cli::main(Registry::default().strategy(countries))
//! }
//! ```
//!
//! Stable is what this page names: it changes only with the version, as the command line, its JSON and
//! its exit codes do. The modules behind it are hidden, and may change at any time.

// Imports between these point inward only, and a test holds them to it:
// `interfaces -> setup -> infrastructure, contexts -> application -> domain`.
// Infrastructure and interfaces do not see each other.
#[doc(hidden)]
pub mod application;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod contexts;
#[doc(hidden)]
pub mod domain;
#[doc(hidden)]
pub mod infrastructure;
#[doc(hidden)]
pub mod interfaces;
#[doc(hidden)]
pub mod setup;

pub use application::ports::{Ask, Entries, Wanted, WarmupStrategy};
pub use application::run_state::options::Options;
pub use contexts::registry::Registry;
pub use domain::entry::{EntryBatch, KeyError};
pub use domain::failure::{Failure, FailureKind};
pub use domain::report::Report;
pub use domain::strategy::{Shape, StrategyId, StrategySpec};

/// The command line.
pub mod cli {
    pub use crate::interfaces::process::main;
}
