//! What a dry run foresees, for people and machines.

use std::time::Duration;

use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::document::to_value;
use super::document::{Document, Row, Tone, number, text};
use super::looked::{lines, looked_json, run_json, totals_json};
use super::notes::{expectation, mark, not_known, strategy_notes};
use crate::application::coordinator::Options;
use crate::application::ports::{Headroom, Mode, QueryPlan};
use crate::application::record::{millis, whole_seconds};
use crate::domain::key::shortened;
use crate::domain::report::{Report, Status, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::standing::Classes;
use crate::domain::ttl::Ttl;
use crate::domain::verdict::Verdict;
use crate::domain::wording::{grouped, keys, seconds};

/// Bytes that a server keeps for a key beside its name and value, about.
const KEY_OVERHEAD: u64 = 100;

/// What a dry run knows beside its report.
pub struct Forecast<'a> {
    pub report: &'a Report,
    /// The planner's answer for each strategy, where it gave one.
    pub plans: &'a [Option<QueryPlan>],
    /// Whether there was a cache to compare with.
    pub compared: bool,
    /// `None`: not asked for.
    pub headroom: Option<&'a Headroom>,
    /// Keys that are equal and expire within this count as expiring.
    pub expiring_within: Option<Duration>,
    /// Of the run that is looked ahead to.
    pub options: &'a Options,
    /// Of each strategy.
    pub ttls: &'a [Ttl],
    /// It was asked to fail where something would change.
    pub exit_code: bool,
}

impl Forecast<'_> {
    /// Reading was measured, all of it; what the cache was asked stands for what it will be told.
    fn estimated(&self) -> Duration {
        self.report.strategies.iter().map(|s| s.stats.elapsed).sum()
    }

    /// Keys at which the run would leave something else than stands there now, a value or a time
    /// that is more than half over. What is not known may change too.
    pub fn changed(&self) -> u64 {
        let changed = |strategy: &StrategyReport| {
            let (classes, seen) = (&strategy.seen.classes, &strategy.seen);
            let known = match self.options.mode {
                Mode::OnlyMissing => classes.missing,
                Mode::Refresh => classes.missing + classes.stale() + seen.worn,
            };
            known + seen.not_known
        };
        self.report.strategies.iter().map(changed).sum()
    }

    fn not_known(&self) -> u64 {
        let seen = self.report.strategies.iter().map(|s| &s.seen);
        seen.map(|seen| seen.not_known).sum()
    }

    /// Bytes by which the missing keys would make the cache grow, estimated by the mean of all keys;
    /// `None`: it is not known which are missing.
    fn growth(&self) -> Option<u64> {
        let growth = |strategy: &StrategyReport| {
            let (stats, seen) = (&strategy.stats, &strategy.seen);
            let is_known = strategy.status == Status::Completed && seen.not_known == 0;
            let each = stats.bytes / stats.planned.max(1) + KEY_OVERHEAD;
            is_known.then_some(seen.classes.missing * each)
        };
        self.report.strategies.iter().map(growth).sum()
    }

    fn memory_line(&self, headroom: &Headroom) -> String {
        let needed = match self.growth() {
            Some(bytes) => format!("~{} more", HumanBytes(bytes)),
            None => "how much more is not known".to_owned(),
        };
        let free = match (&headroom.max, &headroom.used, headroom.free()) {
            (Err(why), ..) | (_, Err(why), _) => format!("what is free is not known: {why}"),
            (Ok(Some(max)), _, Some(free)) => {
                let policy = headroom.policy.as_deref().unwrap_or("policy not known");
                format!(
                    "{} free of {}, {policy}",
                    HumanBytes(free),
                    HumanBytes(*max)
                )
            }
            (_, Ok(used), _) => format!("{} used, no limit is set", HumanBytes(*used)),
        };
        format!("memory: {needed}; {free}")
    }

    fn memory_json(&self, headroom: &Headroom) -> Value {
        let mut not_known = serde_json::Map::new();
        let whys = [
            ("used_bytes", headroom.used.as_ref().err()),
            ("max_bytes", headroom.max.as_ref().err()),
            ("policy", headroom.policy.as_ref().err()),
        ];
        for (figure, why) in whys {
            if let Some(why) = why {
                not_known.insert(figure.to_owned(), why.clone().into());
            }
        }
        json!({
            "needed_bytes": self.growth(),
            "used_bytes": headroom.used.as_ref().ok(),
            "max_bytes": headroom.max.as_ref().ok().copied().flatten(),
            "free_bytes": headroom.free(),
            "policy": headroom.policy.as_ref().ok(),
            "not_known": not_known,
        })
    }

    fn is_compared(&self) -> bool {
        self.compared
    }

    pub fn document(&self, info: &RunInfo, verbose: bool) -> Document {
        let report = self.report;
        let orphans = report.strategies.iter().any(|s| s.seen.orphans.is_some());
        let strategies: Vec<Value> = report
            .strategies
            .iter()
            .zip(self.plans)
            .zip(self.ttls)
            .map(|((strategy, plan), ttl)| self.strategy_json(strategy, plan.as_ref(), ttl))
            .collect();
        let verdict = self.verdict(&info.command);
        let mut json = run_json(info, report, &verdict);
        let stats = report.totals();
        json["compared"] = self.is_compared().into();
        json["expiring_within_seconds"] = self.expiring_within.map(whole_seconds).into();
        json["totals"] = totals_json(report, self.is_compared());
        json["totals"]["keys"] = stats.planned.into();
        json["totals"]["bytes"] = stats.bytes.into();
        json["totals"]["skipped"] = stats.skipped.into();
        json["totals"]["failed"] = (stats.failed + stats.unknown).into();
        let all_orphans = report.strategies.iter().map(|s| s.seen.orphans);
        json["totals"]["orphans"] = all_orphans.sum::<Option<u64>>().into();
        json["would_change"] = self.is_compared().then(|| self.changed()).into();
        json["estimated_ms"] = millis(self.estimated()).into();
        json["memory"] = self.headroom.map_or(Value::Null, |h| self.memory_json(h));
        json["strategies"] = strategies.clone().into();
        let partly = report.strategies.iter().any(StrategyReport::is_unfinished);
        let mut headings = vec![text("strategy", 0)];
        headings.extend(partly.then(|| number("expected", 1)));
        headings.push(number("keys", 0));
        if self.is_compared() {
            headings.extend([
                number("missing", 0),
                number("different", 0),
                number("expiring", 1),
                number("wrong type", 1),
                number("identical", 1),
            ]);
        }
        if orphans {
            headings.push(number("orphans", 1));
        }
        headings.extend([number("bytes", 2), number("ttl", 3), number("cost", 3)]);
        let mut rows: Vec<Row> = report
            .strategies
            .iter()
            .zip(self.plans)
            .map(|(strategy, plan)| self.row(strategy, plan.as_ref(), orphans, partly))
            .collect();
        rows.push(self.total_row(orphans, partly));
        Document {
            headings,
            rows,
            footer: self.footer(verbose),
            verdict: Some(verdict),
            lines: lines(strategies, &json),
            json,
            csv: &[
                "id",
                "context",
                "name",
                "priority",
                "ttl_seconds",
                "status",
                "expected",
                "expected_is_exact",
                "keys",
                "missing",
                "different",
                "expiring",
                "wrong_type",
                "identical",
                "orphans",
                "bytes",
                "cost",
                "error",
            ],
        }
    }

    fn strategy_json(
        &self,
        strategy: &StrategyReport,
        plan: Option<&QueryPlan>,
        ttl: &Ttl,
    ) -> Value {
        let mut json = looked_json(strategy, self.is_compared());
        json["keys"] = strategy.stats.planned.into();
        json["bytes"] = strategy.stats.bytes.into();
        json["spread_seconds"] = whole_seconds(ttl.width()).into();
        json["cost"] = plan.and_then(|plan| plan.cost).into();
        json["sample"] = to_value(&strategy.seen.sample);
        json
    }

    fn row(
        &self,
        strategy: &StrategyReport,
        plan: Option<&QueryPlan>,
        orphans: bool,
        partly: bool,
    ) -> Row {
        let (mark, tone) = mark(strategy);
        let mut cells = vec![format!("{mark} {}", strategy.id)];
        cells.extend(partly.then(|| expectation(strategy.expected())));
        cells.push(grouped(strategy.stats.planned));
        if self.is_compared() {
            cells.extend(class_cells(&strategy.seen.classes));
        }
        if orphans {
            cells.push(optional(strategy.seen.orphans));
        }
        let cost = plan.and_then(|plan| plan.cost);
        cells.extend([
            HumanBytes(strategy.stats.bytes).to_string(),
            humantime::format_duration(strategy.ttl).to_string(),
            cost.map_or_else(|| "–".to_owned(), |cost| grouped(cost as u64)),
        ]);
        Row { cells, tone }
    }

    fn total_row(&self, orphans: bool, partly: bool) -> Row {
        let totals = self.report.totals();
        let mut cells = vec!["total".to_owned()];
        cells.extend(partly.then(|| expectation(self.report.expected())));
        cells.push(grouped(totals.planned));
        if self.is_compared() {
            cells.extend(class_cells(&self.report.classes()));
        }
        if orphans {
            let all = self.report.strategies.iter().map(|s| s.seen.orphans);
            cells.push(optional(all.sum()));
        }
        cells.push(HumanBytes(totals.bytes).to_string());
        Row {
            cells,
            tone: Tone::Total,
        }
    }

    fn footer(&self, verbose: bool) -> String {
        let mut lines = Vec::new();
        for strategy in &self.report.strategies {
            let shown = if verbose { usize::MAX } else { 1 };
            let sample = strategy.seen.sample.iter().take(shown);
            let sample: Vec<String> = sample.map(|key| shortened(key, 60)).collect();
            if !sample.is_empty() {
                let more = strategy.planned() > sample.len() as u64;
                let more = if more { ", …" } else { "" };
                lines.push(format!("  {}: {}{more}", strategy.id, sample.join(", ")));
            }
        }
        for strategy in &self.report.strategies {
            lines.extend(strategy_notes(strategy, verbose));
            lines.extend(not_known(strategy).filter(|_| self.is_compared()));
        }
        lines.extend(self.report.warnings.iter().map(|text| format!("! {text}")));
        match self.headroom {
            Some(headroom) => lines.push(self.memory_line(headroom)),
            None if !self.compared => {
                lines.push("no cache is given: nothing was compared".to_owned());
            }
            None => {}
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }

    fn verdict(&self, command: &str) -> Verdict {
        let totals = self.report.totals();
        let mut done = format!(
            "a run would write {}, {}",
            keys(totals.planned),
            HumanBytes(totals.bytes)
        );
        if self.is_compared() {
            let changed = keys(self.changed());
            done += &match self.not_known() {
                0 => format!(", {changed} would change"),
                n => format!(", up to {changed} would change ({n} not known)"),
            };
        }
        let took = seconds(self.estimated());
        done += &format!("; looking took {took}, and a run takes about that");
        Verdict::of_dry_run(self.report, &done, command, self.is_failed_by_changes())
    }

    /// Whether it was asked to fail where something would change, and something would.
    pub fn is_failed_by_changes(&self) -> bool {
        self.exit_code && self.changed() > 0
    }
}

fn class_cells(classes: &Classes) -> impl Iterator<Item = String> {
    let counts = [
        classes.missing,
        classes.different,
        classes.expiring,
        classes.wrong_type,
        classes.identical,
    ];
    counts.into_iter().map(grouped)
}

fn optional(count: Option<u64>) -> String {
    count.map_or_else(|| "–".to_owned(), grouped)
}
