//! The last sentence about a run: how it ended, what failed, what to do next. Every output says it in
//! the same words, and its mark agrees with the exit code.

use std::fmt;

use super::completeness::Ending;
use super::expected::Expected;
use super::failure::FailureKind;
use super::gate::{Judged, Verified};
use super::report::{Outcome, Report, Status, Stop, StrategyReport};
use super::run::{Flags, RunInfo};
use super::wording::{first, grouped, keys, rate, seconds, strategies};

/// More names than this would hide the sentence.
const NAMED: usize = 3;

/// Says of each definition, each server and each permission what is wrong.
const DOCTOR: &str = "doctor";

/// How a run ended, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub mark: Mark,
    pub text: String,
    /// What to do about it, mostly a command.
    pub next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Every gate is met: exit 0.
    Good,
    /// A dry run found changes: exit 0 too.
    Changes,
    Bad,
    /// Somebody stopped it, or a dry run found changes that are not to be.
    Notice,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "✓",
            Self::Changes => "~",
            Self::Bad => "✗",
            Self::Notice => "!",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.mark, self.text)?;
        self.next.iter().try_for_each(|next| write!(f, "; next: {next}"))
    }
}

impl Verdict {
    /// Of a warm-up.
    pub fn of_run(report: &Report, info: &RunInfo) -> Self {
        Self {
            mark: mark(report),
            text: sentence(report, &warmed(report)),
            next: next(report, info),
        }
    }

    /// Of a warm-up that may have been verified; only a good run is judged by what was found.
    pub fn of_run_and(report: &Report, verified: Option<&Verified>, info: &RunInfo) -> Self {
        let Some(verified) = verified.filter(|_| report.passes()) else {
            return Self::of_run(report, info);
        };
        let judged = verified.judge();
        let found = Self::of_verification(&verified.found, &judged, info);
        let text = match found.mark {
            Mark::Good => {
                let done = format!("{}; {}", warmed(report), requirements(&judged));
                in_words(&format!("{} and verified", word(report)), report, &done)
            }
            _ => format!("warmed, but not verified: {}", found.text),
        };
        Self { text, ..found }
    }

    /// Of a verification.
    pub fn of_verification(found: &Report, judged: &[Judged<'_>], info: &RunInfo) -> Self {
        let done = requirements(judged);
        if !found.passes() {
            return Self {
                mark: mark(found),
                text: sentence(found, &done),
                next: next(found, info),
            };
        }
        match judged.iter().all(|judged| judged.met) {
            true => Self {
                mark: Mark::Good,
                text: match found.outcome() {
                    Outcome::Incomplete => sentence(found, &done),
                    _ => done,
                },
                next: None,
            },
            false => Self {
                mark: Mark::Bad,
                text: not_compared(found) + &done,
                next: Some(list_wrong(found, info)),
            },
        }
    }

    /// Of a dry run, which has `done` this, with this mark if it is good.
    pub fn of_dry_run(report: &Report, done: &str, info: &RunInfo, good: Mark) -> Self {
        let mark = match mark(report) {
            Mark::Good => good,
            mark => mark,
        };
        let (text, next) = match report.passes() {
            true if report.is_denied() => (done.to_owned(), Some(info.instead(DOCTOR))),
            true => (done.to_owned(), warm(mark, info)),
            false => (sentence(report, done), next(report, info)),
        };
        Self { mark, text, next }
    }

    /// Whether the process ends with 0.
    pub fn is_good(&self) -> bool {
        matches!(self.mark, Mark::Good | Mark::Changes)
    }
}

/// Keys that the cache did not let us see are not known to differ.
fn not_compared(found: &Report) -> String {
    let not_known: u64 = found.strategies.iter().map(|s| s.seen.not_known).sum();
    match not_known {
        0 => String::new(),
        n => format!("{} could not be compared; ", keys(n)),
    }
}

impl fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.name {
            "all" => String::new(),
            name => format!("{name}: "),
        };
        match self.expected {
            Some(whole) => {
                let share = (whole.keys > 0).then(|| self.equal as f64 / whole.keys as f64);
                let equal = of_whole(self.equal, whole);
                let equal = match self.sampled {
                    true => equal.replacen(" key", " sampled key", 1),
                    false => equal,
                };
                write!(f, "{name}{equal} match the database ({})", rate(share))?;
            }
            None => write!(f, "{name}{} match the database", keys(self.equal))?,
        }
        write!(f, ", {} required", self.gate.share)?;
        match self.unfinished {
            0 => Ok(()),
            n => write!(f, ", but {} not read to the end", strategies(n)),
        }
    }
}

fn mark(report: &Report) -> Mark {
    match report.ending() {
        Ending::Good | Ending::Stopped(Stop::Enough) => Mark::Good,
        Ending::Stopped(Stop::LockLost) | Ending::Fatal(_) | Ending::Bad => Mark::Bad,
        Ending::Stopped(_) => Mark::Notice,
    }
}

/// What was required, and whether it is met.
fn requirements(judged: &[Judged<'_>]) -> String {
    let unmet: Vec<_> = judged.iter().filter(|judged| !judged.met).collect();
    let all = judged.len();
    match (judged, unmet.first()) {
        ([only], _) => only.to_string(),
        (_, Some(first)) => format!("{} of {all} requirements not met: {first}", unmet.len()),
        (_, None) => format!("all {all} requirements met"),
    }
}

fn word(report: &Report) -> &'static str {
    match report.outcome() {
        Outcome::Incomplete if report.passes() => "enough",
        Outcome::Complete => "complete",
        Outcome::Incomplete => "incomplete",
        Outcome::Empty => "nothing to warm",
        Outcome::Interrupted => "interrupted",
        Outcome::Deadline => "deadline hit",
    }
}

/// How it ended, what failed, what was done.
fn sentence(report: &Report, done: &str) -> String {
    in_words(word(report), report, done)
}

fn in_words(word: &str, report: &Report, done: &str) -> String {
    match troubles(report).join(", ").as_str() {
        "" => format!("{word}: {done}"),
        troubles => format!("{word}: {troubles}; {done}"),
    }
}

/// Strategies first, then keys.
fn troubles(report: &Report) -> Vec<String> {
    let all = report.strategies.len();
    let failed: Vec<_> = report.strategies.iter().filter(|s| s.is_failed()).collect();
    let unfinished = report.strategies.iter().filter(|s| s.is_unfinished());
    let cancelled = unfinished.count() - failed.len();
    let totals = report.totals();
    let count = |n: u64, what: &str| (n > 0).then(|| format!("{} {what}", keys(n)));
    [
        (report.stopped == Some(Stop::LockLost)).then(|| "the lock was lost".to_owned()),
        (!failed.is_empty()).then(|| {
            let names = first_names(&failed);
            match all {
                1 => format!("{names} failed"),
                _ => format!("{} of {} failed ({names})", failed.len(), strategies(all)),
            }
        }),
        (cancelled > 0 && all > 1)
            .then(|| format!("{cancelled} of {} not finished", strategies(all))),
        count(totals.failed, "failed"),
        count(totals.unknown, "unconfirmed"),
        count(report.unmatched_total, "without a strategy"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `247,500 of about 990,018 keys warmed (24.9%) in 4.9 s`; where keys were skipped
/// `0 of 2,000 keys warmed, 2,000 already there in 4.9 s`.
fn warmed(report: &Report) -> String {
    let totals = report.totals();
    let (done, what) = match totals.planned {
        0 => (totals.warmed, "warmed"),
        planned => (planned, "would be written"),
    };
    let aside: String = [
        (totals.already_there(), "already there"),
        (totals.absent, "without data"),
        (totals.withdrawn, "left out"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!(", {} {what}", grouped(*n)))
    .collect();
    let mut text = match report.expected() {
        None => format!("{} {what}{aside}", keys(done)),
        Some(whole) => format!("{} {what}{aside}", of_whole(done, whole)),
    };
    let is_partial = report.strategies.iter().any(StrategyReport::is_unfinished);
    if let (Some(share), true) = (report.success_rate(), is_partial && totals.planned == 0) {
        text += &format!(" ({})", rate(Some(share)));
    }
    if let (Some(least), Outcome::Incomplete) = (report.gates.fail_under, report.outcome()) {
        text += &format!(", {least} required,");
    }
    let limit = report.limit.map(|limit| format!(" (at most {} per strategy)", grouped(limit)));
    format!("{text} in {}{}", seconds(report.elapsed), limit.unwrap_or_default())
}

fn of_whole(part: u64, whole: Expected) -> String {
    let about = if whole.is_exact { "" } else { "about " };
    format!("{} of {about}{}", grouped(part), keys(whole.keys))
}

/// The ids of the first ones, and how many more there are.
fn first_names(strategies: &[&StrategyReport]) -> String {
    let ids: Vec<String> = strategies.iter().map(|s| s.id.to_string()).collect();
    first(ids.iter().map(String::as_str), NAMED)
}

/// The run after a dry run that found changes.
fn warm(mark: Mark, info: &RunInfo) -> Option<String> {
    let selection = info.command.strip_prefix("dry-run")?.trim();
    let is_changed = matches!(mark, Mark::Changes | Mark::Notice);
    is_changed.then(|| match Flags::named(&info.flags.own, "plan") {
        Some(plan) => info.instead(&format!("warmup{plan}")),
        None => {
            let flags = Flags::without(&info.flags.reading, "expiring-within");
            info.instead(&format!("warmup {selection}{flags}"))
        }
    })
}

/// What to do about a run that was not good. What would fail in the same way is not repeated.
fn next(report: &Report, info: &RunInfo) -> Option<String> {
    // The same deadline would end it again.
    let unlimited = (report.stopped == Some(Stop::Deadline)).then(|| info.without("deadline"));
    let info = unlimited.as_ref().unwrap_or(info);
    // Keys from stdin cannot be repeated.
    let again = |more| (info.command != "warmup keys").then(|| info.again(more));
    let warms = info.command.starts_with("warmup");
    match report.ending() {
        Ending::Good | Ending::Stopped(Stop::Enough) => None,
        Ending::Stopped(Stop::LockLost) => again("--lock-wait 5m"),
        // Nothing was warmed: existing entries may be old.
        Ending::Stopped(_) if report.strategies.is_empty() => again(""),
        // What was finished is not read again, and what was there before may be old.
        Ending::Stopped(_) if warms && is_whole(report, info) => {
            Some(info.without("resume").again("--resume"))
        }
        Ending::Stopped(_) if warms => again("--skip-identical"),
        Ending::Stopped(_) => again(""),
        Ending::Fatal(_) => Some(info.instead(DOCTOR)),
        // A definition that does not fit, or a missing permission, fails again until somebody changes it.
        Ending::Bad if report.unfit().is_some() || report.is_denied() => Some(info.instead(DOCTOR)),
        Ending::Bad if report.strategies.is_empty() && report.unmatched_total > 0 => {
            Some(info.instead("strategies"))
        }
        Ending::Bad if report.outcome() == Outcome::Empty => {
            Some("check the queries, or use --allow-empty".to_owned())
        }
        Ending::Bad if fails_again(report) && warms => Some(info.instead("runs last -v")),
        Ending::Bad if fails_again(report) => again("-v"),
        Ending::Bad if warms => warm_wrong(report, info).or_else(|| again("")),
        Ending::Bad => again(""),
    }
}

/// Whether it was to read whole strategies.
fn is_whole(report: &Report, info: &RunInfo) -> bool {
    let reads_changes = report.strategies.iter().any(|strategy| strategy.changed.is_some());
    report.limit.is_none() && !reads_changes && !info.command.starts_with("warmup keys")
}

/// Whether all that went wrong is in the data or the queries.
fn fails_again(report: &Report) -> bool {
    let is_lasting = |strategy: &StrategyReport| match &strategy.status {
        Status::Completed => strategy.wrong() == strategy.wrong_rows,
        Status::Failed(failure) => {
            failure.kind == FailureKind::Query && strategy.stats.unverified == 0
        }
        Status::Cancelled => false,
    };
    report.unmatched_total == 0 && report.strategies.iter().all(is_lasting)
}

/// The command that warms what failed, where that is less than everything.
fn warm_wrong(report: &Report, info: &RunInfo) -> Option<String> {
    let is_wrong = |s: &&StrategyReport| s.is_unfinished() || s.wrong() > 0;
    let wrong: Vec<_> = report.strategies.iter().filter(is_wrong).collect();
    if wrong.is_empty() || wrong.len() > NAMED || wrong.len() == report.strategies.len() {
        return None;
    }
    let ids: Vec<String> = wrong.iter().map(|s| s.id.to_string()).collect();
    let command = format!("warmup strategy {}", ids.join(" "));
    let info = RunInfo { command, ..info.clone() };
    Some(info.again(""))
}

/// The command that lists the keys that are not as they should be.
fn list_wrong(found: &Report, info: &RunInfo) -> String {
    if found.is_denied() {
        return info.instead(DOCTOR);
    }
    let selection = info.command.split_once(' ').map_or("all", |(_, words)| words);
    let list = "keys list --state missing,different,wrong-type";
    info.instead(&format!("{list} {selection}{}", info.flags.reading))
}

#[cfg(test)]
mod tests;
