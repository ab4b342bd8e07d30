//! What is said of a single strategy under a table.

use super::document::Tone;
use crate::domain::expected::Expected;
use crate::domain::key::shortened;
use crate::domain::report::{Status, StrategyReport};
use crate::domain::wording::{grouped, keys};

/// Errors shown under the table of one strategy without `-v`.
const SHOWN_ERRORS: usize = 5;

/// Longer keys are cut where people read them.
const SHOWN_KEY: usize = 120;

/// How a strategy ended, at a glance.
pub fn mark(strategy: &StrategyReport) -> (&'static str, Tone) {
    match strategy.status {
        Status::Completed if strategy.wrong() == 0 => ("✓", Tone::Good),
        Status::Cancelled => ("–", Tone::Plain),
        Status::Completed | Status::Failed(_) => ("✗", Tone::Bad),
    }
}

/// `20,000`, `~20,000` where that is an estimate, `–` where it is not known.
pub fn expectation(expected: Option<Expected>) -> String {
    expected.map_or_else(
        || "–".to_owned(),
        |expected| {
            let about = if expected.is_exact { "" } else { "~" };
            format!("{about}{}", grouped(expected.keys))
        },
    )
}

/// What went wrong with a strategy, key by key.
pub fn strategy_notes(strategy: &StrategyReport, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if let Status::Failed(failure) = &strategy.status {
        let id = strategy.id.to_string();
        lines.push(format!("✗ {id}: {}", failure.about(&id)));
        lines.extend(failure.hint.iter().map(|hint| format!("    hint: {hint}")));
    }
    let wrong = strategy.wrong();
    if wrong > 0 {
        lines.push(format!("✗ {}: {} not warmed:", strategy.id, keys(wrong)));
        let shown = if verbose { usize::MAX } else { SHOWN_ERRORS };
        for error in strategy.errors.iter().take(shown) {
            lines.push(format!(
                "    {}  {}",
                shortened(&error.key, SHOWN_KEY),
                error.error
            ));
        }
        let listed = strategy.errors.len().min(shown) as u64;
        if wrong > listed && listed > 0 {
            lines.push(format!("    and {} more", grouped(wrong - listed)));
        }
    }
    if !strategy.not_found.is_empty() {
        let list = listed(&strategy.not_found, strategy.stats.absent);
        lines.push(format!("  {}: no row for {list}", strategy.id));
    }
    lines.extend(strategy.warnings.iter().map(|text| format!("! {text}")));
    lines
}

/// The kept ones of `total` keys.
pub fn listed(kept: &[String], total: u64) -> String {
    let shown: Vec<_> = kept.iter().map(|key| shortened(key, SHOWN_KEY)).collect();
    let rest = total.saturating_sub(shown.len() as u64);
    let more = if rest > 0 {
        format!(" and {} more", grouped(rest))
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}

/// That the cache would not say what stands at some keys, and why.
pub fn not_known(strategy: &StrategyReport) -> Option<String> {
    let seen = &strategy.seen;
    (seen.not_known > 0).then(|| {
        format!(
            "! {}: not known of {}: {}",
            strategy.id,
            keys(seen.not_known),
            seen.why_not_known
                .as_deref()
                .unwrap_or("the cache did not say")
        )
    })
}
