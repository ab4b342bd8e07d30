//! The report of a dry run.

use std::time::Duration;

use serde_json::{Value, json};

use super::document::{Document, to_value};
use super::grid::Tone;
use super::inspected::{Inspected, Line, run_json, totals_json};
use super::table::Table;
use super::words::{Marked, error_notes, expectation, joined, not_compared, optional};
use crate::application::ports::{Headroom, Mode, QueryPlan};
use crate::application::record::whole_seconds;
use crate::application::run_state::options::Options;
use crate::domain::counts::millis;
use crate::domain::key::shortened;
use crate::domain::report::{Report, Status, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::ttl::{Ttl, shown};
use crate::domain::verdict::{Mark, Verdict};
use crate::domain::wording::{grouped, keys, rate, seconds, size};

/// Approximate overhead of a key, in bytes.
const KEY_OVERHEAD: u64 = 100;

/// A dry run: its report and other findings.
pub(crate) struct DryRun<'a> {
    pub report: &'a Report,
    /// The planner's answer for each strategy, if any.
    pub plans: &'a [Option<QueryPlan>],
    pub compared: bool,
    pub headroom: Option<&'a Headroom>,
    /// Equal keys that expire within this time count as `expiring`.
    pub expiring_within: Option<Duration>,
    /// Options of the planned run.
    pub options: &'a Options,
    /// TTL of each strategy.
    pub ttls: &'a [Ttl],
    /// `--exit-code`.
    pub exit_code: bool,
}

impl DryRun<'_> {
    /// How long it took to read and compare.
    fn estimated(&self) -> Duration {
        self.report.strategies.iter().map(|s| s.stats.elapsed).sum()
    }

    /// Keys whose value the run would change, or that expire soon. Unknown keys may change too.
    pub(crate) fn changed(&self) -> u64 {
        self.changes().iter().map(|(n, _)| n).sum()
    }

    /// The same, by class.
    fn changes(&self) -> Vec<(u64, &'static str)> {
        let mut sums: Vec<(u64, &str)> = Vec::new();
        for (nth, (n, class)) in
            self.report.strategies.iter().flat_map(|s| self.changes_of(s).into_iter().enumerate())
        {
            match sums.get_mut(nth) {
                Some((sum, _)) => *sum += n,
                None => sums.push((n, class)),
            }
        }
        sums.retain(|(n, _)| *n > 0);
        sums
    }

    fn changes_of(&self, strategy: &StrategyReport) -> [(u64, &'static str); 5] {
        let (seen, classes) = (&strategy.seen, &strategy.seen.classes);
        let refreshed = |n: u64| {
            if self.options.mode == Mode::Refresh { n } else { 0 }
        };
        [
            (classes.missing, "missing"),
            (refreshed(classes.different), "different"),
            (refreshed(classes.wrong_type), "wrong-type"),
            (refreshed(classes.expiring), "expiring"),
            (seen.not_known, "not compared"),
        ]
    }

    /// Keys of which the cache did not say what it holds.
    fn not_known(&self) -> u64 {
        let strategies = self.report.strategies.iter();
        strategies.map(|strategy| strategy.seen.not_known).sum()
    }

    /// Estimated growth of the cache in bytes: missing keys times the mean size; `None`: the
    /// missing keys are not known.
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
            Some(0) => "no growth".to_owned(),
            Some(bytes) => format!("~{} more", size(bytes)),
            None => "the additional memory is not known".to_owned(),
        };
        let free = match (&headroom.max, &headroom.used, headroom.free()) {
            (Err(why), ..) | (_, Err(why), _) => format!("the free memory is not known: {why}"),
            (Ok(Some(max)), _, Some(free)) => {
                let policy = headroom.policy.as_deref().unwrap_or("policy not known");
                format!("{} free of {}, {policy}", size(free), size(*max))
            }
            (_, Ok(used), _) => format!("{} used, no limit is set", size(*used)),
        };
        format!("memory: {needed}; {free}")
    }

    /// What a run would meet in a cache that is too small for it.
    fn shortage(&self, headroom: &Headroom) -> Option<String> {
        let missing = self.growth()?.saturating_sub(headroom.free()?);
        if missing == 0 {
            return None;
        }
        let what = match headroom.policy.as_deref() {
            Ok("noeviction") => "a run would fail when it is full; raise maxmemory, or warm less",
            _ => "a run would evict keys; raise maxmemory, or warm less",
        };
        let missing = size(missing);
        let place = match &headroom.full_first {
            Some((place, share)) => {
                format!(" at {place}, which gets {} of these keys", rate(Some(*share)))
            }
            None => String::new(),
        };
        Some(format!("the cache is about {missing} too small{place}: {what} (--limit, --exclude)"))
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
            "shortage": self.shortage(headroom),
            "not_known": not_known,
        })
    }

    pub(crate) fn document(&self, info: &RunInfo, verbose: bool) -> Document {
        let (report, totals) = (self.report, self.report.totals());
        let inspected = Inspected::all(report);
        let more = self.plans.iter().zip(self.ttls);
        let more = more.map(|(plan, ttl)| Some((plan.as_ref(), ttl)));
        let rows = inspected.iter().map(Line::new).zip(more);
        let total = Line::total(report);
        let all_orphans = total.orphans;
        let mut document = self.table().document(rows, Some((total, None)));
        let verdict = self.verdict(info);
        let mut json = run_json(info, report, &verdict);
        json["compared"] = self.compared.into();
        json["expiring_within_seconds"] = self.expiring_within.map(whole_seconds).into();
        json["totals"] = totals_json(report, self.compared);
        json["totals"]["keys"] = totals.planned.into();
        json["totals"]["bytes"] = totals.bytes.into();
        json["totals"]["skipped"] = totals.skipped.into();
        json["totals"]["failed"] = totals.wrong().into();
        json["totals"]["orphans"] = all_orphans.into();
        json["would_change"] = self.compared.then(|| self.changed()).into();
        json["estimated_ms"] = millis(self.estimated()).into();
        json["memory"] = self.headroom.map_or(Value::Null, |h| self.memory_json(h));
        json["strategies"] = document.lines.clone().into();
        document.json = json;
        document.footer = self.footer(&inspected, verbose);
        document.verdict = Some(verdict);
        document.with_run_line()
    }

    /// A strategy that the run would change is neither good nor bad.
    fn marked(&self, line: &Line<'_>) -> Option<Marked> {
        let marked = line.marked()?;
        let changes =
            line.of.is_some_and(|of| self.changes_of(of.report).iter().any(|(n, _)| *n > 0));
        let changes = self.compared && changes && marked.tone == Tone::Good;
        let (mark, tone) = ("~", Tone::Plain);
        Some(if changes { Marked { mark, tone, ..marked } } else { marked })
    }

    fn table(&self) -> Table<'_, Row<'_>> {
        let compared = self.compared;
        let strategies = &self.report.strategies;
        let is_partial = strategies.iter().any(StrategyReport::is_unfinished);
        let not_known = self.not_known();
        let failed = self.report.totals().wrong();
        let has_orphans = strategies.iter().any(|s| s.seen.orphans.is_some());
        Table::of(move |row: &Row<'_>| row_json(row, compared))
            .strategy(move |(line, _)| self.marked(line))
            .csv(["context", "name", "priority", "ttl_seconds", "status"])
            .when(is_partial, |table| {
                table.number("expected", 1, |(line, _)| expectation(line.expected))
            })
            .csv(["expected", "expected_is_exact"])
            .count("keys", 0, |(line, _)| line.counts.planned)
            .when(failed > 0, |table| {
                table.number("failed", 0, |(line, _)| grouped(line.counts.wrong()))
            })
            .when(compared, |table| {
                table
                    .number("missing", 0, |(line, _)| grouped(line.classes.missing))
                    .number("different", 0, |(line, _)| grouped(line.classes.different))
                    .number("expiring", 1, |(line, _)| grouped(line.classes.expiring))
                    .number("wrong-type", 1, |(line, _)| grouped(line.classes.wrong_type))
                    .number("identical", 1, |(line, _)| grouped(line.classes.identical))
            })
            .when(compared && not_known > 0, |table| {
                table.number("not compared", 1, move |(line, _)| {
                    grouped(line.of.map_or(not_known, |of| of.report.seen.not_known))
                })
            })
            .csv(["missing", "different", "expiring", "wrong_type", "identical"])
            .when(has_orphans, |table| {
                let orphans = |(line, _): &Row<'_>| optional(line.orphans);
                table.number("orphans", 0, orphans).asked()
            })
            .csv(["orphans"])
            .number("size", 2, |(line, _)| size(line.counts.bytes))
            .csv(["bytes"])
            .number("ttl", 3, ttl)
            .number("planner cost", 3, cost_cell)
            .csv(["cost", "error"])
    }

    fn footer(&self, inspected: &[Inspected<'_>], verbose: bool) -> String {
        let mut lines: Vec<String> = Vec::new();
        let strategies = self.report.strategies.iter().filter(|_| verbose);
        lines.extend(strategies.filter_map(sample_line));
        lines.extend(error_notes(inspected.iter().map(|one| &one.record), verbose));
        let orphans: u64 = inspected.iter().filter_map(|one| one.report.seen.orphans).sum();
        if orphans > 0 {
            lines.push("orphans: `dry-run --orphans --keys` lists them, `warmup --prune` removes those that a run wrote".to_owned());
        }
        let compared = self.report.strategies.iter().filter(|_| self.compared);
        lines.extend(not_compared(compared));
        lines.extend(self.report.warnings.iter().map(|text| format!("! {text}")));
        let read = size(self.report.totals().bytes);
        lines.push(format!("read {read} in {}", seconds(self.estimated())));
        match self.headroom {
            Some(headroom) => {
                lines.push(self.memory_line(headroom));
                lines.extend(self.shortage(headroom).map(|why| format!("! {why}")));
            }
            None if !self.compared => {
                lines.push("no cache is configured: nothing was compared".to_owned());
            }
            None => {}
        }
        joined(lines)
    }

    fn verdict(&self, info: &RunInfo) -> Verdict {
        let totals = self.report.totals();
        let planned = keys(totals.planned);
        let change = |(n, what): &(u64, &str)| format!("{} {what}", grouped(*n));
        let changes: Vec<String> = self.changes().iter().map(change).collect();
        let what = match changes.as_slice() {
            _ if !self.compared => format!("would write {planned}"),
            [] => format!("nothing to change in {planned}"),
            changes => format!(
                "would change {}{} of {planned}: {}",
                if self.not_known() > 0 { "up to " } else { "" },
                grouped(self.changed()),
                changes.join(", ")
            ),
        };
        let orphans = self.report.strategies.iter().map(|s| s.seen.orphans).sum();
        let what = match orphans {
            None => what,
            Some(0) => format!("{what}; no orphans"),
            Some(1) => format!("{what}; 1 orphan"),
            Some(n) => format!("{what}; {} orphans", grouped(n)),
        };
        let mark = match self.compared && self.changed() > 0 {
            true if self.exit_code => Mark::Notice,
            true => Mark::Changes,
            false => Mark::Good,
        };
        Verdict::of_dry_run(self.report, &what, info, mark)
    }

    /// Whether `--exit-code` is set and something would change.
    pub(crate) fn is_failed_by_changes(&self) -> bool {
        self.exit_code && self.changed() > 0
    }
}

/// A strategy with its plan and TTL, or the total.
type Row<'a> = (Line<'a>, Option<(Option<&'a QueryPlan>, &'a Ttl)>);

fn ttl((line, _): &Row<'_>) -> String {
    let ttl = line.of.map(|of| of.report.ttl);
    ttl.map_or_else(String::new, shown)
}

fn cost((_, more): &Row<'_>) -> Option<f64> {
    more.as_ref()?.0?.cost
}

fn cost_cell(row: &Row<'_>) -> String {
    match row.1 {
        Some(_) => optional(cost(row).map(|cost| cost as u64)),
        None => String::new(),
    }
}

fn row_json(row: &Row<'_>, compared: bool) -> Value {
    let (Line { of: Some(of), .. }, Some((_, ttl))) = row else {
        return Value::Null;
    };
    let mut json = of.json(compared);
    json["keys"] = of.report.stats.planned.into();
    json["bytes"] = of.report.stats.bytes.into();
    json["spread_seconds"] = whole_seconds(ttl.width()).into();
    json["cost"] = cost(row).into();
    json["sample"] = to_value(&of.report.seen.sample);
    json
}

/// Sample keys of a strategy.
fn sample_line(strategy: &StrategyReport) -> Option<String> {
    let sample = &strategy.seen.sample;
    let sample: Vec<String> = sample.iter().map(|key| shortened(key, 60)).collect();
    let more = if strategy.planned() > sample.len() as u64 { ", …" } else { "" };
    (!sample.is_empty()).then(|| format!("  {}: {}{more}", strategy.id, sample.join(", ")))
}
