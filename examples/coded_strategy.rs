//! A shop's own binary: every command of `shopwarm`, and a strategy that SQL cannot say.
//!
//! `cargo run --example coded_strategy -- --demo warmup all`

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use shopwarm::{Ask, Entries, EntryBatch, Failure, Registry, StrategySpec, WarmupStrategy};

/// What paying by instalments costs, as the shop's checkout computes it.
struct Instalments(StrategySpec);

impl WarmupStrategy for Instalments {
    fn spec(&self) -> &StrategySpec {
        &self.0
    }

    fn entries(&self, _: Ask) -> Entries<'_> {
        let mut batch = EntryBatch::default();
        for months in [6, 12, 24] {
            let percent = 100 + months / 6;
            let plan = json!({ "months": months, "percent": percent });
            batch.push_json(&format!("Instalments:{months}"), &plan);
        }
        batch.into()
    }
}

fn main() -> Result<ExitCode, Failure> {
    let spec = StrategySpec::new("checkout", "instalments", "Instalments:{months}")?;
    let spec = spec.priority(80).ttl(Duration::from_hours(24));
    let registry = Registry::default().strategy(Instalments(spec));
    // Without this, strategies of your own replace the shipped ones.
    Ok(shopwarm::cli::main(registry.with_shipped()))
}
