//! The metrics of a single run as a file, for node exporter's textfile collector.
//!
//! The metrics are gauges of the last run. The last successes of strategies must survive a failed
//! run, so they are carried over from the old file.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use prometheus::{Gauge, GaugeVec, IntGauge, Opts, Registry};

use super::{
    KEY_OUTCOMES, LAST_SUCCESS, LastSuccess, OUTCOMES, STRATEGY_LAST_SUCCESS, build_info, gauges,
    outcome, register, render, seconds, unix,
};
use crate::application::record::RunRecord;
use crate::application::runs::live::Ended;
use crate::domain::run::RunInfo;
use crate::domain::strategy::{StrategyId, is_name};

/// The node exporter reads the file as another user.
const MODE: u32 = 0o644;

/// Our files are smaller.
const LARGEST: u64 = 4 << 20;

/// A finished single run.
pub struct LastRun<'a> {
    pub info: &'a RunInfo,
    pub end: &'a Ended,
    /// It covered all keys of its strategies.
    pub whole: bool,
    /// The exit code of the process.
    pub exit: u8,
}

/// Replaces the file atomically. `known`: the strategies whose successes are carried over.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, run: &LastRun<'_>, known: Option<&[StrategyId]>) -> io::Result<()> {
    let earlier = match fs::metadata(path) {
        // A rename would replace a device with a file.
        Ok(found) if !found.is_file() => return Err(io::Error::other("it is not a file")),
        Ok(_) => Earlier::read(path),
        Err(_) => Earlier::default(),
    };
    replace(path, &run.render(&earlier, known))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let aside = aside(path)?;
    let written = fill(&aside, text).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // It does not exist, or will be removed with its folder.
        let _ = fs::remove_file(&aside);
    }
    written
}

/// A name in the same folder that the node exporter ignores.
fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let (process, chance) = (std::process::id(), fastrand::u32(..));
    Ok(path.with_file_name(format!(".{}.{process}-{chance:08x}.tmp", name.to_string_lossy())))
}

fn fill(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    // Independent of the umask.
    file.set_permissions(Permissions::from_mode(MODE))
}

impl LastRun<'_> {
    fn render(&self, earlier: &Earlier, known: Option<&[StrategyId]>) -> String {
        let registry = Registry::new();
        build_info(&registry);
        self.describe(&registry);
        if let Ok(record) = self.end {
            describe_strategies(&registry, record);
        }
        let last_success = LastSuccess::new(&registry);
        earlier.carry_over(&last_success, known);
        if let (Ok(record), true) = (self.end, self.whole) {
            last_success.set(self.info, record);
        }
        render(&registry)
    }

    fn describe(&self, registry: &Registry) {
        let began =
            IntGauge::new("shopwarm_last_run_timestamp_seconds", "When the last run began.");
        register(registry, began).set(unix(self.info.started));
        let exit = IntGauge::new(
            "shopwarm_last_run_exit_code",
            "The exit code of the last run: 0 is success, 8 that another run held the lock.",
        );
        register(registry, exit).set(self.exit.into());
        let outcomes = gauges(
            registry,
            "shopwarm_last_run_outcome",
            "1 for how the last run ended, else 0. busy: another run held the lock; \
             failed_to_start: it could not start.",
            &["outcome"],
        );
        for name in OUTCOMES {
            let is_it = outcome(self.end) == Some(name);
            outcomes.with_label_values(&[name]).set(is_it.into());
        }
        let Ok(record) = self.end else { return };
        let duration = Gauge::new(
            "shopwarm_last_run_duration_seconds",
            "How long the last run took, with connections and preparation.",
        );
        register(registry, duration).set(seconds(record.elapsed_ms));
    }
}

fn describe_strategies(registry: &Registry, record: &RunRecord) {
    let keys = gauges(
        registry,
        "shopwarm_last_run_keys",
        "Keys of the last run by outcome: warmed, skipped (no data, or already cached), failed, \
         unknown (sent, without an answer).",
        &["context", "strategy", "outcome"],
    );
    let bytes = gauges(
        registry,
        "shopwarm_last_run_written_bytes",
        "Bytes of the keys and values that the last run stored.",
        &["context", "strategy"],
    );
    let durations = Opts::new(
        "shopwarm_last_run_strategy_duration_seconds",
        "How long a strategy took in the last run.",
    );
    let durations = register(registry, GaugeVec::new(durations, &["context", "strategy"]));
    for strategy in &record.strategies {
        let labels = [strategy.context.as_str(), strategy.name.as_str()];
        for (outcome, count) in KEY_OUTCOMES {
            keys.with_label_values(&[labels[0], labels[1], outcome]).set(count(strategy) as i64);
        }
        bytes.with_label_values(&labels).set(strategy.counts.bytes as i64);
        durations.with_label_values(&labels).set(seconds(strategy.elapsed_ms));
    }
}

/// The last successes in an earlier file. Other lines are ignored.
#[derive(Debug, Default, PartialEq)]
struct Earlier {
    run: Option<i64>,
    strategies: BTreeMap<StrategyId, i64>,
}

impl Earlier {
    fn read(path: &Path) -> Self {
        let mut text = Vec::new();
        // An unreadable file has nothing to carry over.
        let _ = File::open(path).map(|file| file.take(LARGEST).read_to_end(&mut text));
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Self {
        let mut earlier = Self::default();
        for line in text.lines() {
            let Some((series, at)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(at) = at.parse() else { continue };
            if series == LAST_SUCCESS {
                earlier.run = Some(at);
            } else if let Some(id) = strategy_of(series) {
                earlier.strategies.insert(id, at);
            }
        }
        earlier
    }

    fn carry_over(&self, last: &LastSuccess, known: Option<&[StrategyId]>) {
        if let Some(at) = self.run {
            last.of_runs().set(at);
        }
        for (id, at) in &self.strategies {
            if known.is_none_or(|known| known.contains(id)) {
                last.of_strategy(&id.context, &id.name).set(*at);
            }
        }
    }
}

/// The strategy of a series `...{context="catalog",strategy="hot-products"}`.
fn strategy_of(series: &str) -> Option<StrategyId> {
    let labels = series.strip_prefix(STRATEGY_LAST_SUCCESS)?;
    let labels = labels.strip_prefix("{context=\"")?.strip_suffix("\"}")?;
    let (context, name) = labels.split_once("\",strategy=\"")?;
    (is_name(context) && is_name(name)).then(|| StrategyId::new(context, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_over_is_what_was_written() {
        let registry = Registry::new();
        let last = LastSuccess::new(&registry);
        last.of_runs().set(1_764_000_000);
        last.of_strategy("catalog", "hot-products").set(1_763_000_000);
        let earlier = Earlier::parse(&render(&registry));
        let id = StrategyId::new("catalog", "hot-products");
        assert_eq!(earlier.run, Some(1_764_000_000));
        assert_eq!(earlier.strategies, [(id, 1_763_000_000)].into());
    }

    #[test]
    fn what_is_no_line_of_ours_is_nothing() {
        for text in [
            "",
            "\u{0}\u{1} 12\n",
            "shopwarm_last_success_timestamp_seconds NaN",
            "shopwarm_last_success_timestamp_seconds",
            "shopwarm_last_success_timestamp_seconds{job=\"x\"} 12",
            "shopwarm_strategy_last_success_timestamp_seconds{context=\"a\"} 12",
            "shopwarm_strategy_last_success_timestamp_seconds{context=\"\",strategy=\"\"} 12",
            "shopwarm_strategy_last_success_timestamp_seconds{context=\"A B\",strategy=\"x\"} 12",
        ] {
            assert_eq!(Earlier::parse(text), Earlier::default(), "{text}");
        }
    }
}
