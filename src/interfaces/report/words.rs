//! Texts that all reports share.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::grid::Tone;
use crate::application::record::StrategyRecord;
use crate::domain::cause::{self, Cause};
use crate::domain::counts::Counts;
use crate::domain::entry::KeyError;
use crate::domain::expected::Expected;
use crate::domain::failure;
use crate::domain::key::shortened;
use crate::domain::report::{Stage, StrategyReport};
use crate::domain::wording::{first, grouped, keys, size};

/// Max length of a key in tables.
const SHOWN_KEY: usize = 120;

/// Max strategies that are named in a note.
const SHOWN_IDS: usize = 3;

/// An unknown number.
pub(crate) const NONE: &str = "–";

/// The mark of a strategy. `wrong`: keys that are not known to be warm.
pub(crate) fn mark(status: Stage, wrong: u64) -> (&'static str, Tone) {
    match status {
        Stage::Completed if wrong == 0 => ("✓", Tone::Good),
        Stage::Cancelled | Stage::Waiting | Stage::Running => (NONE, Tone::Plain),
        Stage::Completed | Stage::Failed => ("✗", Tone::Bad),
    }
}

/// The first cell of a strategy's row.
pub(crate) struct Marked {
    pub mark: &'static str,
    pub tone: Tone,
    pub id: String,
}

/// `None`: the total.
pub(crate) fn marked(strategy: &StrategyRecord) -> Option<Marked> {
    let (mark, tone) = mark(strategy.status, strategy.counts.wrong());
    let id = strategy.id.clone();
    (!strategy.is_total()).then_some(Marked { mark, tone, id })
}

/// `20,000`, `~20,000` if estimated, `–` if unknown.
pub(crate) fn expectation(expected: Option<Expected>) -> String {
    let Some(Expected { keys, is_exact }) = expected else {
        return NONE.to_owned();
    };
    format!("{}{}", if is_exact { "" } else { "~" }, grouped(keys))
}

pub(crate) fn optional(count: Option<u64>) -> String {
    count.map_or_else(|| NONE.to_owned(), grouped)
}

pub(crate) fn bytes(count: Option<u64>) -> String {
    count.map_or_else(|| NONE.to_owned(), size)
}

/// Keys per second; `None`: of a few keys it says nothing.
pub(crate) fn speed(counts: &Counts) -> Option<String> {
    let is_known = counts.total() >= 1000 && counts.elapsed >= Duration::from_millis(100);
    is_known.then(|| grouped(counts.keys_per_second() as u64))
}

/// A time of RFC 3339 in a zone, with the zone.
pub(crate) fn moment(rfc3339: &str, zone: &TimeZone) -> String {
    match rfc3339.parse::<Timestamp>() {
        Ok(moment) => {
            let local = moment.to_zoned(zone.clone());
            local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
        }
        Err(_) => rfc3339.to_owned(),
    }
}

/// A share from 0.0 to 1.0; `None`: of nothing.
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// One per line.
pub(crate) fn joined(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

/// What went wrong in some strategies: first what failed as a whole, then keys, both by cause.
pub(crate) fn error_notes<'s>(
    strategies: impl IntoIterator<Item = &'s StrategyRecord>,
    verbose: bool,
) -> Vec<String> {
    let strategies: Vec<&StrategyRecord> = strategies.into_iter().collect();
    let mut lines = Vec::new();
    for trouble in troubles(&strategies) {
        lines.push(format!("✗ {}: {}", trouble.who, trouble.what));
        lines.extend(trouble.keys.map(|keys| format!("    {keys}")));
        lines.extend(trouble.hint.map(|hint| format!("    hint: {hint}")));
    }
    let rest = |strategy: &&StrategyRecord| other_notes(strategy, verbose);
    lines.extend(strategies.iter().flat_map(rest));
    lines.extend(warned(&strategies));
    lines
}

/// What went wrong for one reason.
pub(crate) struct Trouble {
    /// The first strategies, by name.
    pub who: String,
    pub what: String,
    /// The first keys, if only keys failed.
    pub keys: Option<String>,
    pub hint: Option<String>,
}

/// Strategies that failed, then keys; those with the same cause together.
pub(crate) fn troubles(strategies: &[&StrategyRecord]) -> Vec<Trouble> {
    let mut all = failures(strategies);
    all.extend(causes(strategies));
    all
}

/// Groups by reason, in the order in which the reasons first appear.
pub(crate) fn by_reason<R: PartialEq, T>(all: impl Iterator<Item = (R, T)>) -> Vec<(R, Vec<T>)> {
    let mut reasons: Vec<(R, Vec<T>)> = Vec::new();
    for (reason, one) in all {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, same)) => same.push(one),
            None => reasons.push((reason, vec![one])),
        }
    }
    reasons
}

fn failures(strategies: &[&StrategyRecord]) -> Vec<Trouble> {
    let failed = strategies.iter().filter_map(|strategy| {
        let error = failure::about(strategy.error.as_ref()?, &strategy.id);
        Some(((error, strategy.hint.clone()), strategy.id.as_str()))
    });
    let trouble = |((what, hint), ids): ((String, Option<String>), Vec<&str>)| Trouble {
        who: first(ids.into_iter(), SHOWN_IDS),
        what,
        keys: None,
        hint,
    };
    by_reason(failed).into_iter().map(trouble).collect()
}

fn causes(strategies: &[&StrategyRecord]) -> Vec<Trouble> {
    let mut causes: Vec<(Cause, Vec<&str>)> = Vec::new();
    for strategy in strategies {
        for cause in &strategy.causes {
            // The strategy failed for this reason, which is told already; keys without an answer are not.
            let error = strategy.error.as_deref().unwrap_or_default();
            if !cause.unconfirmed && error.contains(&cause.message) {
                continue;
            }
            let same = |(known, _): &&mut (Cause, Vec<&str>)| known.is_like(cause);
            match causes.iter_mut().find(same) {
                Some((known, ids)) => {
                    known.keys += cause.keys;
                    ids.push(&strategy.id);
                }
                None => causes.push((cause.clone(), vec![&strategy.id])),
            }
        }
    }
    let trouble = |(cause, ids): (Cause, Vec<&str>)| Trouble {
        who: first(ids.into_iter(), SHOWN_IDS),
        what: cause.to_string(),
        keys: Some(listed(&cause.examples, cause.keys)),
        hint: cause.hint,
    };
    causes.into_iter().map(trouble).collect()
}

/// What else there is to say about a strategy.
fn other_notes(strategy: &StrategyRecord, verbose: bool) -> Vec<String> {
    let (mut lines, id) = (Vec::new(), &strategy.id);
    let wrong = strategy.counts.wrong();
    let told: u64 = strategy.causes.iter().map(|cause| cause.keys).sum();
    if wrong > told {
        lines.push(format!("✗ {id}: {} failed or unconfirmed", keys(wrong - told)));
    }
    // Earlier versions recorded no causes.
    if verbose || told == 0 {
        let line = |error: &KeyError| {
            let key = shortened(&error.key, SHOWN_KEY);
            format!("    {key}  {}", error.error)
        };
        lines.extend(strategy.errors.iter().map(line));
    }
    if !strategy.not_found.is_empty() {
        let list = listed(&strategy.not_found, strategy.counts.absent);
        lines.push(format!("  {id}: no row for {list}"));
    }
    lines
}

/// The warnings of strategies, those with the same text on one line.
fn warned(strategies: &[&StrategyRecord]) -> Vec<String> {
    let all = strategies.iter().flat_map(|strategy| {
        let texts = strategy.warnings.iter();
        texts.map(|text| (failure::about(text, &strategy.id), strategy.id.as_str()))
    });
    let line = |(text, ids): (String, Vec<&str>)| {
        format!("! {}: {text}", first(ids.into_iter(), SHOWN_IDS))
    };
    by_reason(all).into_iter().map(line).collect()
}

/// The kept ones of `total` keys.
pub(crate) fn listed(kept: &[String], total: u64) -> String {
    let shown: Vec<_> = kept.iter().map(|key| shortened(key, SHOWN_KEY)).collect();
    let rest = total.saturating_sub(shown.len() as u64);
    let more = if rest > 0 { format!(" and {} more", grouped(rest)) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Keys that the cache did not answer for, those with the same reason together.
pub(crate) fn not_compared<'s>(
    strategies: impl IntoIterator<Item = &'s StrategyReport>,
) -> Vec<String> {
    let unknown = strategies.into_iter().filter(|strategy| strategy.seen.not_known > 0);
    let unknown = unknown.map(|strategy| {
        let why = strategy.seen.why_not_known.as_deref();
        (why.unwrap_or("the cache did not say why"), strategy)
    });
    let reasons = by_reason(unknown);
    let lines = reasons.iter().flat_map(|(why, strategies)| {
        let sum = strategies.iter().map(|strategy| strategy.seen.not_known).sum();
        let ids: Vec<String> = strategies.iter().map(|strategy| strategy.id.to_string()).collect();
        let ids = first(ids.iter().map(String::as_str), SHOWN_IDS);
        let line = format!("! {ids}: {} could not be compared: {why}", keys(sum));
        let hint = "    hint: `shopwarm doctor` names the permissions that are missing";
        let hint = cause::is_denied(why).then(|| hint.to_owned());
        std::iter::once(line).chain(hint)
    });
    lines.collect()
}
