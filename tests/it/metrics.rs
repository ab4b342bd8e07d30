//! What Prometheus is told: the file of a single run, the metrics of a process that goes on, and
//! that dashboard and alerts ask for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ::shopwarm::application::record::RunRecord;
use ::shopwarm::application::record::history::LastComplete;
use ::shopwarm::application::runs::live::Ended;
use ::shopwarm::application::runs::refused::Refused;
use ::shopwarm::application::runs::run::Begun;
use ::shopwarm::domain::counts::Counts;
use ::shopwarm::domain::failure::{Failure, FailureKind};
use ::shopwarm::domain::report::{Report, Stop, StrategyReport};
use ::shopwarm::domain::run::{RunInfo, Trigger};
use ::shopwarm::domain::strategy::StrategyId;
use ::shopwarm::domain::verdict::Verdict;
use ::shopwarm::infrastructure::metrics::Metrics;
use ::shopwarm::infrastructure::metrics::file::{self, LastRun};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::exposition::Exposition;
use crate::support::lab::{Lab, SHIPPED, over_shipped, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shopwarm::{Finished, Shopwarm};

const LAST_SUCCESS: &str = "shopwarm_last_success_timestamp_seconds";
const STRATEGY_LAST_SUCCESS: &str = "shopwarm_strategy_last_success_timestamp_seconds";

/// A folder for a metrics file.
struct Textfile {
    dir: TempDir,
}

impl Textfile {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("shopwarm.prom")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).expect("a metrics file")
    }

    #[track_caller]
    fn read(&self) -> Exposition {
        Exposition::parse(&self.text())
    }

    /// What is in its folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("a folder");
        let name = |e: std::io::Result<fs::DirEntry>| e.expect("an entry").file_name();
        entries.map(|e| name(e).to_string_lossy().into_owned()).collect()
    }
}

trait Metered {
    fn metered(self, file: &Textfile) -> Self;
}

impl Metered for Shopwarm {
    fn metered(self, file: &Textfile) -> Self {
        self.arg("--metrics-file").arg(file.path())
    }
}

fn unix(at: SystemTime) -> f64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.expect("after 1970").as_secs() as f64
}

fn started(report: &Value) -> f64 {
    let text = report["started_at"].as_str().expect("a time");
    unix(humantime::parse_rfc3339(text).expect("RFC 3339"))
}

fn seconds(millis: &Value) -> f64 {
    millis.as_f64().expect("milliseconds") / 1000.0
}

/// Every number of the file, compared with the report; nothing else is in it.
#[track_caller]
fn tells(metrics: &Exposition, run: &Finished) {
    let report = run.json();
    let mut expected = 0;
    let mut expect = |name: &str, labels: &[(&str, &str)], value: f64| {
        expected += 1;
        assert_eq!(metrics.value(name, labels), value, "{name} {labels:?}");
    };
    let version = env!("CARGO_PKG_VERSION");
    expect("shopwarm_build_info", &[("version", version)], 1.0);
    expect("shopwarm_last_run_exit_code", &[], f64::from(run.code));
    expect("shopwarm_last_run_timestamp_seconds", &[], started(&report));
    let elapsed = seconds(&report["elapsed_ms"]);
    expect("shopwarm_last_run_duration_seconds", &[], elapsed);
    for outcome in
        ["complete", "incomplete", "empty", "interrupted", "deadline", "busy", "failed_to_start"]
    {
        let is_it = f64::from(u8::from(report["outcome"] == outcome));
        expect("shopwarm_last_run_outcome", &[("outcome", outcome)], is_it);
    }
    if report["outcome"] == "complete" {
        expect(LAST_SUCCESS, &[], started(&report));
    }
    for strategy in report["strategies"].as_array().expect("strategies") {
        let text = |name: &str| strategy[name].as_str().expect("a text").to_owned();
        let (context, name) = (text("context"), text("name"));
        let labels = [("context", context.as_str()), ("strategy", name.as_str())];
        for outcome in ["warmed", "skipped", "failed", "unknown"] {
            let labels = [labels[0], labels[1], ("outcome", outcome)];
            let count = strategy[outcome].as_f64().expect("a count");
            expect("shopwarm_last_run_keys", &labels, count);
        }
        let bytes = strategy["bytes"].as_f64().expect("bytes");
        expect("shopwarm_last_run_written_bytes", &labels, bytes);
        let elapsed = seconds(&strategy["elapsed_ms"]);
        expect("shopwarm_last_run_strategy_duration_seconds", &labels, elapsed);
        let not_stored = strategy["failed"].as_u64().zip(strategy["unknown"].as_u64());
        if strategy["status"] == "completed" && not_stored == Some((0, 0)) {
            expect(STRATEGY_LAST_SUCCESS, &labels, started(&report));
        }
    }
    assert_eq!(metrics.samples().count(), expected);
}

/// Two strategies of one's own, the second with a key that fails.
fn half_broken() -> String {
    let good = "SELECT id, name FROM products WHERE is_active";
    let bad = "SELECT CASE WHEN parent_id IS NULL THEN '' ELSE id END AS id, name FROM categories";
    over_shipped(&own(
        &["products", "categories"],
        &[
            strategy("good", "object", "own:product:{id}", good),
            strategy("bad", "object", "own:category:{id}", bad),
        ]
        .concat(),
    ))
}

#[test]
fn the_file_of_a_run_tells_what_its_report_does() {
    for dialect in [Dialect::Postgres, Dialect::MySql] {
        let (lab, file) = (Lab::shop(dialect), Textfile::new());
        let run = lab.command("warmup all -o json").metered(&file).run();
        tells(&file.read(), &run.expect(0));
        // Some keys fail: what was complete before is carried over beside it.
        let run =
            lab.with(&half_broken(), "warmup context own -o json").metered(&file).run().expect(3);
        let metrics = file.read();
        let own = |name: &'static str| [("context", "own"), ("strategy", name)];
        let failed = [own("bad").as_slice(), &[("outcome", "failed")]].concat();
        assert!(metrics.value("shopwarm_last_run_keys", &failed) > 0.0);
        assert!(metrics.find(STRATEGY_LAST_SUCCESS, &own("good")).is_some());
        assert!(metrics.find(STRATEGY_LAST_SUCCESS, &own("bad")).is_none());
        assert_eq!(metrics.count(STRATEGY_LAST_SUCCESS), SHIPPED.len() + 1);
        fs::remove_file(file.path()).expect("the file");
        let run_again = lab.with(&half_broken(), "warmup context own -o json").metered(&file).run();
        tells(&file.read(), &run_again.expect(3));
        assert_eq!(run.code, 3);
    }
}

fn successes(metrics: &Exposition) -> Vec<(BTreeMap<String, String>, f64)> {
    let samples = metrics.samples();
    let times = samples.filter(|s| s.name == LAST_SUCCESS || s.name == STRATEGY_LAST_SUCCESS);
    times.map(|s| (s.labels.clone(), s.value)).collect()
}

#[test]
fn a_run_that_fails_does_not_forget_the_last_success() {
    let (lab, file) = (Lab::shop(Dialect::Postgres), Textfile::new());
    lab.command("warmup all").metered(&file).run().expect(0);
    let before = successes(&file.read());
    assert_eq!(before.len(), 1 + SHIPPED.len());
    let fails = |run: Shopwarm, code: i32, outcome: &str| {
        run.metered(&file).run().expect(code);
        let metrics = file.read();
        assert_eq!(successes(&metrics), before, "{outcome}");
        let outcome = [("outcome", outcome)];
        assert_eq!(metrics.value("shopwarm_last_run_outcome", &outcome), 1.0);
        let told = metrics.value("shopwarm_last_run_exit_code", &[]);
        assert_eq!(told, f64::from(code));
        let outcomes = metrics.samples().filter(|s| s.name == "shopwarm_last_run_outcome");
        assert_eq!(outcomes.map(|s| s.value).sum::<f64>(), 1.0);
    };
    let all = || lab.command("warmup all");
    let gone = "postgres://shop:shop-secret@127.0.0.1:1/shop?connect_timeout=1";
    fails(all().database(gone), 5, "failed_to_start");
    fails(all().cache("redis://127.0.0.1:1"), 6, "failed_to_start");
    fails(all().database("nonsense"), 4, "failed_to_start");
    fails(
        all().env("SHOPWARM_TTL_JITTER", "10%").arg("--config=/no/such.toml"),
        4,
        "failed_to_start",
    );
    fails(lab.command("warmup context nosuch"), 2, "failed_to_start");
    // A few of all keys are no success of the strategy.
    fails(all().arg("--limit=1"), 0, "complete");
    lab.redis.cli(&["SET", "shopwarm:lock:ordering", "{}", "PX", "60000"]);
    fails(all(), 8, "busy");
    let waits = all().args("--lock-wait 60s --deadline 500ms");
    fails(waits, 9, "deadline");
    lab.redis.cli(&["DEL", "shopwarm:lock:ordering"]);
    // A strategy that fails keeps its old time, and the others have a new one.
    std::thread::sleep(Duration::from_millis(1100));
    lab.database.sql("DROP TABLE order_items");
    all().metered(&file).run().expect(4);
    for (labels, at) in successes(&file.read()) {
        let old = before.iter().find(|(known, _)| *known == labels).expect("known").1;
        let renewed = labels.get("context").is_some_and(|context| context != "ordering");
        assert_eq!(at > old, renewed, "{labels:?}");
    }
}

#[test]
fn of_a_strategy_that_is_gone_nothing_is_carried_over() {
    let (lab, file) = (Lab::shop(Dialect::Sqlite), Textfile::new());
    let sql = "SELECT id, name FROM products";
    let definitions = own(&["products"], &strategy("x", "object", "own:{id}", sql));
    let run = lab.with(&definitions, "warmup context own");
    run.metered(&file).run().expect(0);
    let own = [("context", "own"), ("strategy", "x")];
    assert!(file.read().find(STRATEGY_LAST_SUCCESS, &own).is_some());
    lab.command("warmup context catalog").metered(&file).run().expect(0);
    let metrics = file.read();
    assert!(metrics.find(STRATEGY_LAST_SUCCESS, &own).is_none());
    assert_eq!(metrics.count(STRATEGY_LAST_SUCCESS), 5);
    // What is no file of ours is written over, whatever it says.
    fs::write(file.path(), b"\xff\xfe shopwarm_last_success_timestamp_seconds x\n")
        .expect("a file");
    lab.command("warmup context identity").metered(&file).run().expect(0);
    assert_eq!(file.read().count(STRATEGY_LAST_SUCCESS), 1);
}

#[test]
fn who_reads_the_file_meanwhile_reads_a_whole_one() {
    let (lab, file) = (Lab::shop(Dialect::Sqlite), Textfile::new());
    let run = || lab.command("warmup context catalog").metered(&file).run();
    run().expect(0);
    let done = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                let text = file.text();
                let metrics = Exposition::parse(&text);
                assert_eq!(metrics.count(STRATEGY_LAST_SUCCESS), 5);
                assert_eq!(metrics.families.len(), 10);
                seen.insert(text);
            }
            seen.len()
        });
        for _ in 0..25 {
            run().expect(0);
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("only whole files")
    });
    assert!(read > 10, "{read} of 25 files were seen");
    assert_eq!(file.names(), ["shopwarm.prom"]);
}

#[test]
fn node_exporter_may_read_the_file_whatever_the_umask_is() {
    let (lab, file) = (Lab::shop(Dialect::Sqlite), Textfile::new());
    let line = "umask 077; exec \"$0\" warmup context catalog --metrics-file \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).arg(crate::support::shopwarm::binary()).arg(file.path());
    shell.env("DATABASE_URL", lab.database.url()).env("CACHE_URL", lab.redis.url());
    assert!(shell.output().expect("a shell").status.success());
    let mode = fs::metadata(file.path()).expect("the file").permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning() {
    let (lab, file) = (Lab::shop(Dialect::Sqlite), Textfile::new());
    let below_a_file = file.path().join("x.prom");
    fs::write(file.path(), "").expect("a file");
    let folder = file.dir.path();
    for path in [Path::new("/no/such/folder/x.prom"), &below_a_file, folder, Path::new("/dev/null")]
    {
        let run =
            lab.command("warmup context catalog -q -o json").env("SHOPWARM_METRICS_FILE", path);
        let run = run.run().expect(0);
        assert_eq!(run.json()["outcome"], "complete");
        let warning = format!("warning: cannot write the metrics to {}: ", path.display());
        assert!(run.stderr.contains(&warning), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
    assert_eq!(file.names(), ["shopwarm.prom"]);
    let broken = lab.command("warmup all").cache("redis://127.0.0.1:1");
    broken.arg("--metrics-file=/no/such/x.prom").run().expect(6);
}

// A process that goes on.

fn info(trigger: Trigger) -> RunInfo {
    RunInfo::new("warmup all".to_owned(), trigger)
}

fn strategy_report(name: &str, warmed: u64, failed: u64, millis: u64) -> StrategyReport {
    let stats = Counts {
        warmed,
        failed,
        bytes: warmed * 10,
        elapsed: Duration::from_millis(millis),
        ..Counts::default()
    };
    let id = StrategyId::new("catalog", name);
    StrategyReport::new(id, 0, Duration::from_mins(1), stats)
}

fn ended(info: &RunInfo, strategies: Vec<StrategyReport>) -> Ended {
    let mut report = Report::stopped_before(Stop::Enough);
    report.stopped = None;
    report.strategies = strategies;
    report.elapsed = Duration::from_millis(1500);
    let verdict = Verdict::of_run(&report, info);
    Ok(RunRecord::new(info, &report, verdict))
}

fn begun(whole: bool) -> Begun {
    Begun { locked: vec!["catalog".to_owned()], whole }
}

/// Metrics of runs of every kind.
fn metrics_of_runs() -> (Metrics, RunInfo) {
    let metrics = Metrics::new();
    let first = info(Trigger::Schedule);
    metrics.begun(&first, &begun(true));
    let strategies = vec![strategy_report("a", 7, 0, 20), strategy_report("b", 2, 3, 4000)];
    metrics.ended(&first, false, &ended(&first, strategies));
    let complete = info(Trigger::Api);
    metrics.begun(&complete, &begun(true));
    let strategies = vec![strategy_report("a", 5, 0, 10)];
    metrics.ended(&complete, false, &ended(&complete, strategies));
    (metrics, complete)
}

#[test]
fn runs_are_counted() {
    let (metrics, last) = metrics_of_runs();
    let text = metrics.render();
    let told = Exposition::parse(&text);
    let runs = |trigger, outcome| {
        told.value("shopwarm_runs_total", &[("trigger", trigger), ("outcome", outcome)])
    };
    assert_eq!(runs("schedule", "incomplete"), 1.0);
    assert_eq!(runs("api", "complete"), 1.0);
    assert_eq!(runs("cli", "failed_to_start"), 0.0);
    let keys = |name, outcome| {
        let labels = [("context", "catalog"), ("strategy", name), ("outcome", outcome)];
        told.value("shopwarm_keys_total", &labels)
    };
    assert_eq!(keys("a", "warmed"), 12.0);
    assert_eq!(keys("b", "failed"), 3.0);
    assert_eq!(keys("b", "unknown"), 0.0);
    let of = |name| [("context", "catalog"), ("strategy", name)];
    assert_eq!(told.value("shopwarm_written_bytes_total", &of("a")), 120.0);
    assert_eq!(told.value("shopwarm_strategy_duration_seconds_count", &of("a")), 2.0);
    assert_eq!(told.value("shopwarm_strategy_duration_seconds_sum", &of("b")), 4.0);
    let bucket = |le| {
        let labels = [("context", "catalog"), ("strategy", "a"), ("le", le)];
        told.value("shopwarm_strategy_duration_seconds_bucket", &labels)
    };
    assert_eq!((bucket("0.005"), bucket("0.01"), bucket("0.025")), (0.0, 1.0, 2.0));
    let runs = told.value("shopwarm_run_duration_seconds_sum", &[("outcome", "complete")]);
    assert_eq!(runs, 1.5);
    assert_eq!(told.value(STRATEGY_LAST_SUCCESS, &of("a")), unix(last.started));
    assert_eq!(told.find(STRATEGY_LAST_SUCCESS, &of("b")), None);
    assert_eq!(told.value(LAST_SUCCESS, &[]), unix(last.started));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(told.value("shopwarm_build_info", &[("version", version)]), 1.0);
}

#[test]
fn runs_that_do_not_begin_are_counted_and_dry_ones_are_not() {
    let metrics = Metrics::new();
    let refused = [
        (Refused::Busy(Box::default()), "busy"),
        (Refused::Failed(Failure::new(FailureKind::Busy, "", "")), "busy"),
        (Refused::Failed(Failure::new(FailureKind::Config, "", "")), "failed_to_start"),
        (Refused::Stopped(Stop::Deadline), "deadline"),
        (Refused::Stopped(Stop::Terminated), "interrupted"),
    ];
    for (refused, _) in &refused {
        metrics.ended(&info(Trigger::Cli), false, &Err(Arc::new(refused.clone())));
    }
    let dry = info(Trigger::Api);
    metrics.begun(&dry, &Begun { locked: Vec::new(), whole: true });
    let active = Exposition::parse(&metrics.render());
    assert_eq!(active.value("shopwarm_runs_active", &[]), 1.0);
    metrics.ended(&dry, true, &ended(&dry, vec![strategy_report("a", 7, 0, 20)]));
    let told = Exposition::parse(&metrics.render());
    assert_eq!(told.value("shopwarm_runs_active", &[]), 0.0);
    for (outcome, count) in
        [("busy", 2.0), ("failed_to_start", 1.0), ("deadline", 1.0), ("interrupted", 1.0)]
    {
        let labels = [("trigger", "cli"), ("outcome", outcome)];
        assert_eq!(told.value("shopwarm_runs_total", &labels), count, "{outcome}");
    }
    let all = told.samples().filter(|s| s.name == "shopwarm_runs_total");
    assert_eq!(all.map(|s| s.value).sum::<f64>(), 5.0);
    for absent in ["shopwarm_keys_total", "shopwarm_run_duration_seconds", LAST_SUCCESS] {
        assert_eq!(told.count(absent), 0, "{absent}");
    }
}

#[test]
fn the_lock_is_held_while_a_run_holds_it() {
    let metrics = Metrics::new();
    let held = || {
        let told = Exposition::parse(&metrics.render());
        told.find("shopwarm_lock_held", &[("context", "catalog")])
    };
    assert_eq!(held(), None);
    metrics.declare(&[StrategyId::new("catalog", "a")]);
    assert_eq!(held(), Some(0.0));
    let (first, next) = (info(Trigger::Api), info(Trigger::Api));
    metrics.begun(&first, &begun(true));
    assert_eq!(held(), Some(1.0));
    // The next run has the lock before the end of the first is heard.
    metrics.begun(&next, &begun(true));
    assert_eq!(held(), Some(1.0));
    metrics.ended(&first, false, &ended(&first, Vec::new()));
    assert_eq!(held(), Some(1.0));
    metrics.ended(&next, false, &ended(&next, Vec::new()));
    assert_eq!(held(), Some(0.0));
}

#[test]
fn a_success_outlives_a_restart_and_a_part_is_none() {
    let at = |text: &str| unix(humantime::parse_rfc3339(text).expect("a time"));
    let (night, noon) = ("2026-01-01T02:00:00Z", "2026-01-01T12:00:00Z");
    let (whole, part) = (info(Trigger::Schedule), info(Trigger::Cli));
    let record = |info: &RunInfo, started: &str| {
        let record = ended(info, vec![strategy_report("a", 1, 0, 1)]).expect("a record");
        RunRecord { started_at: started.to_owned(), ..record }
    };
    let last = |run_id: &str, at: &str| LastComplete {
        keys: 1,
        run_id: run_id.to_owned(),
        at: at.to_owned(),
        watermark: None,
    };
    let known = BTreeMap::from([
        ("catalog/a".to_owned(), last(&whole.id, night)),
        // What versions left that kept the number alone.
        ("catalog/old".to_owned(), last("", "")),
    ]);
    let metrics = Metrics::new();
    let ids = [StrategyId::new("catalog", "a"), StrategyId::new("catalog", "old")];
    metrics.declare(&ids);
    metrics.seed(&known, &[record(&part, noon), record(&whole, night)]);
    let of = |name| [("context", "catalog"), ("strategy", name)];
    let told = Exposition::parse(&metrics.render());
    assert_eq!(told.value(STRATEGY_LAST_SUCCESS, &of("a")), at(night));
    assert_eq!(told.count(STRATEGY_LAST_SUCCESS), 1);
    assert_eq!(told.value(LAST_SUCCESS, &[]), at(night));
    // A run with a limit is no success; what this process did is not seeded over.
    let limited = info(Trigger::Api);
    metrics.begun(&limited, &begun(false));
    let end = |info: &RunInfo| ended(info, vec![strategy_report("a", 1, 0, 1)]);
    metrics.ended(&limited, false, &end(&limited));
    assert_eq!(Exposition::parse(&metrics.render()).value(LAST_SUCCESS, &[]), at(night));
    let own = info(Trigger::Api);
    metrics.begun(&own, &begun(true));
    metrics.ended(&own, false, &end(&own));
    metrics.seed(&known, &[record(&whole, night)]);
    let told = Exposition::parse(&metrics.render());
    assert_eq!(told.value(STRATEGY_LAST_SUCCESS, &of("a")), unix(own.started));
    // Of a strategy that is gone nobody waits for a success, and the cache cannot bring it back.
    metrics.declare(&ids[1..]);
    metrics.seed(&known, &[]);
    assert_eq!(Exposition::parse(&metrics.render()).count(STRATEGY_LAST_SUCCESS), 0);
    assert_eq!(told.value(LAST_SUCCESS, &[]), unix(own.started));
}

// What asks for them.

/// Labels that Prometheus or its discovery adds.
const SCRAPED: [&str; 3] = ["instance", "job", "pod"];

/// Labels of each sample, with their values.
type Exposed = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// All that is exposed, by a server and by a single run.
fn exposed() -> Exposed {
    let (metrics, run) = metrics_of_runs();
    let textfile = Textfile::new();
    let end = ended(&run, vec![strategy_report("a", 1, 0, 1)]);
    let last = LastRun { info: &run, end: &end, whole: true, exit: 0 };
    file::write(&textfile.path(), &last, None).expect("a file");
    let mut all = Exposed::new();
    for told in [Exposition::parse(&metrics.render()), textfile.read()] {
        for sample in told.samples() {
            let known = all.entry(sample.name.clone()).or_default();
            for (label, value) in &sample.labels {
                known.entry(label.clone()).or_default().insert(value.clone());
            }
        }
    }
    all
}

/// A series of an expression: its name, and each label with what it is to match.
fn series(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices("shopwarm_") {
        let text = &expression[at..];
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let body = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let matchers = body.map_or("", |(body, _)| body).split(", ");
        let matcher = |text: &str| {
            let (label, rest) = text.split_at(text.find(['=', '!']).expect("an operator"));
            let value = rest.trim_start_matches(['=', '!', '~']).trim_matches('"');
            (label.to_owned(), value.to_owned())
        };
        let matchers = matchers.filter(|text| !text.is_empty()).map(matcher);
        found.push((name.to_owned(), matchers.collect()));
    }
    found
}

/// The labels that an expression groups by.
fn grouped(expression: &str) -> Vec<&str> {
    let lists = expression.split(" by (").skip(1);
    let lists = lists.chain(expression.split(" without (").skip(1));
    let labels = lists.flat_map(|list| list.split(')').next().expect("an end").split(", "));
    labels.collect()
}

/// The labels in `{{label}}` and `{{ $labels.label }}`.
fn shown(text: &str) -> Vec<&str> {
    let parts = text.split("{{").skip(1).filter_map(|part| part.split("}}").next());
    let words = parts.map(|part| part.trim().trim_start_matches("$labels."));
    words.filter(|word| !word.starts_with("$value")).collect()
}

/// An expression asks for what is exposed, by labels and values that it has, and so does the text
/// that stands beside it.
#[track_caller]
fn asks_for_what_there_is(expression: &str, texts: &[&str], exposed: &Exposed) {
    let mut labels: BTreeSet<&str> = SCRAPED.into();
    let series = series(expression);
    assert!(!series.is_empty(), "{expression} asks for nothing");
    for (name, matchers) in &series {
        let known = exposed.get(name).unwrap_or_else(|| panic!("no {name}: {expression}"));
        labels.extend(known.keys().map(String::as_str));
        for (label, value) in matchers {
            if SCRAPED.contains(&label.as_str()) {
                continue;
            }
            let values = known.get(label).unwrap_or_else(|| panic!("no {label}: {expression}"));
            let fixed = value.split('|').filter(|value| !value.starts_with('$'));
            for value in fixed {
                assert!(values.contains(value), "{label} is never {value}: {expression}");
            }
        }
    }
    for label in grouped(expression).into_iter().chain(texts.iter().flat_map(|text| shown(text))) {
        assert!(labels.contains(label), "no label {label}: {expression} {texts:?}");
    }
}

fn deployed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    fs::read_to_string(path).expect("a file in deploy/")
}

/// The expressions of the alerts.
fn alerts(exposed: &Exposed) -> Vec<String> {
    let rules = &crate::support::tools::yaml(&deployed("prometheus/alerts.yml"))[0];
    let groups = rules["groups"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    let mut names = BTreeSet::new();
    let mut expressions = Vec::new();
    for rule in rules {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        assert!(names.insert(text(&rule["alert"])), "{rule} comes twice");
        assert!(["critical", "warning"].contains(&text(&rule["labels"]["severity"]).as_str()));
        let annotations = ["summary", "description"].map(|name| text(&rule["annotations"][name]));
        let expression = text(&rule["expr"]);
        let texts = annotations.each_ref().map(String::as_str);
        asks_for_what_there_is(&expression, &texts, exposed);
        expressions.push(expression);
    }
    expressions
}

/// The expressions of the dashboard.
fn panels(exposed: &Exposed) -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&deployed("grafana/shopwarm.json")).expect("JSON");
    let mut variables = BTreeSet::from(["__range".to_owned(), "__rate_interval".to_owned()]);
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        variables.insert(variable["name"].as_str().expect("a name").to_owned());
        if let Some(query) = variable["definition"].as_str() {
            let (name, label) = query.split_once(", ").expect("a series and a label");
            let name = name.strip_prefix("label_values(").expect("values of a label");
            let label = label.strip_suffix(')').expect("an end");
            asks_for_what_there_is(name, &[&format!("{{{{{label}}}}}")], exposed);
        }
    }
    let mut expressions = Vec::new();
    for runs in dashboard["annotations"]["list"].as_array().expect("some") {
        assert_eq!(runs["datasource"]["uid"], "${datasource}");
        let text = |name: &str| runs[name].as_str().expect("a text").to_owned();
        let texts = [text("titleFormat"), text("textFormat")];
        let texts = texts.each_ref().map(String::as_str);
        asks_for_what_there_is(&text("expr"), &texts, exposed);
        expressions.push(text("expr"));
    }
    assert_eq!(expressions.len(), 2, "all runs are marked in the panels");
    let link = &dashboard["links"][0]["url"];
    assert!(variables.contains(link.as_str().expect("a link").trim_matches(['$', '{', '}'])));
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64()), "{} is there twice", panel["id"]);
        let grid = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
        assert!(grid("x") + grid("w") <= 24, "{}", panel["title"]);
        for x in grid("x")..grid("x") + grid("w") {
            for y in grid("y")..grid("y") + grid("h") {
                assert!(taken.insert((x, y)), "{} lies on another", panel["title"]);
            }
        }
        // What is not known is never shown as a number.
        let unknown = &panel["fieldConfig"]["defaults"]["noValue"];
        let said = ["no data", "never"].contains(&unknown.as_str().unwrap_or_default());
        assert!(said || panel["type"] == "row", "{}", panel["title"]);
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
            let expression = target["expr"].as_str().expect("an expression");
            let legend = target["legendFormat"].as_str().expect("a legend");
            asks_for_what_there_is(expression, &[legend], exposed);
            for used in expression.split('$').skip(1) {
                let end = used.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let used = &used[..end.unwrap_or(used.len())];
                assert!(variables.contains(used), "no variable {used}: {expression}");
            }
            expressions.push(expression.to_owned());
        }
    }
    expressions
}

#[test]
fn dashboard_and_alerts_ask_for_what_is_exposed_and_all_of_it_is_shown() {
    let exposed = exposed();
    alerts(&exposed);
    let shown = panels(&exposed);
    let shown: BTreeSet<String> =
        shown.iter().flat_map(|e| series(e)).map(|(name, _)| name).collect();
    for name in exposed.keys() {
        // A histogram is shown by its buckets.
        let parts = ["_count", "_sum"];
        let stem = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        let is_shown = shown.contains(name) || shown.contains(&format!("{stem}_bucket"));
        assert!(is_shown, "{name} is on no panel");
    }
}
