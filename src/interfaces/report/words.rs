//! What all reports say in the same words.

use indicatif::HumanBytes;

use super::grid::Tone;
use crate::application::record::StrategyRecord;
use crate::domain::expected::Expected;
use crate::domain::failure;
use crate::domain::key::shortened;
use crate::domain::report::{Stage, StrategyReport};
use crate::domain::wording::{grouped, keys};

/// Errors shown under the table of one strategy without `-v`.
const SHOWN_ERRORS: usize = 5;

/// Longer keys are cut where people read them.
const SHOWN_KEY: usize = 120;

/// What there is no number of.
pub const NONE: &str = "–";

/// How a strategy ended, at a glance. `wrong`: keys that were to be warmed and are not known to be.
pub fn mark(status: Stage, wrong: u64) -> (&'static str, Tone) {
    match status {
        Stage::Completed if wrong == 0 => ("✓", Tone::Good),
        Stage::Cancelled | Stage::Waiting | Stage::Running => (NONE, Tone::Plain),
        Stage::Completed | Stage::Failed => ("✗", Tone::Bad),
    }
}

/// A strategy as the first cell of its row.
pub struct Marked {
    pub mark: &'static str,
    pub tone: Tone,
    pub id: String,
}

/// `None`: it is all strategies together.
pub fn marked(strategy: &StrategyRecord) -> Option<Marked> {
    let (mark, tone) = mark(strategy.status, strategy.counts.wrong());
    let id = strategy.id.clone();
    (!strategy.is_total()).then_some(Marked { mark, tone, id })
}

/// `20,000`, `~20,000` where that is an estimate, `–` where it is not known.
pub fn expectation(expected: Option<Expected>) -> String {
    expected.map_or_else(
        || NONE.to_owned(),
        |expected| {
            let about = if expected.is_exact { "" } else { "~" };
            format!("{about}{}", grouped(expected.keys))
        },
    )
}

pub fn optional(count: Option<u64>) -> String {
    count.map_or_else(|| NONE.to_owned(), grouped)
}

pub fn bytes(count: Option<u64>) -> String {
    count.map_or_else(|| NONE.to_owned(), |count| HumanBytes(count).to_string())
}

/// A moment without the marks of RFC 3339.
pub fn moment(rfc3339: &str) -> String {
    rfc3339.replace('T', " ").replace('Z', "")
}

/// A part of a whole, from 0.0 to 1.0; `None` of nothing.
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Each on a line of its own.
pub fn joined(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

/// What went wrong with a strategy, key by key.
pub fn strategy_notes(strategy: &StrategyRecord, verbose: bool) -> Vec<String> {
    let (mut lines, id) = (Vec::new(), &strategy.id);
    if let Some(error) = &strategy.error {
        lines.push(format!("✗ {id}: {}", failure::about(error, id)));
        lines.extend(strategy.hint.iter().map(|hint| format!("    hint: {hint}")));
    }
    let wrong = strategy.counts.wrong();
    if wrong > 0 {
        lines.push(format!("✗ {id}: {} not warmed:", keys(wrong)));
        let shown = if verbose { usize::MAX } else { SHOWN_ERRORS };
        for error in strategy.errors.iter().take(shown) {
            let key = shortened(&error.key, SHOWN_KEY);
            lines.push(format!("    {key}  {}", error.error));
        }
        let listed = strategy.errors.len().min(shown) as u64;
        if wrong > listed && listed > 0 {
            lines.push(format!("    and {} more", grouped(wrong - listed)));
        }
    }
    if !strategy.not_found.is_empty() {
        let list = listed(&strategy.not_found, strategy.counts.absent);
        lines.push(format!("  {id}: no row for {list}"));
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
    let why = seen.why_not_known.as_deref();
    (seen.not_known > 0).then(|| {
        format!(
            "! {}: not known of {}: {}",
            strategy.id,
            keys(seen.not_known),
            why.unwrap_or("the cache did not say")
        )
    })
}
