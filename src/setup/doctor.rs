//! What works and what does not, before a run: configuration, definitions, both servers.
//!
//! Each check says what it found and none ends the others; each server is asked once, both at the
//! same time, and not waited for beyond `PATIENCE`.

mod clock;
mod protection;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::HumanCount;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use self::protection::Versions;
use super::{databases, demo, dialect, prepare_one};
use crate::application::history;
use crate::application::ports::{QueryPlan, RightsProbe, Scan, Sources};
use crate::application::schedule;
use crate::application::selection::{Selection, select};
use crate::config::{Config, Secret, Shown};
use crate::contexts::definitions::Definitions;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::key::{printable, shortened};
use crate::domain::standing::Kind;
use crate::domain::strategy::Definition;
use crate::infrastructure::{cache, source};

/// No server is waited for longer: the whole must end within ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// Reading fewer rows than this from end to end costs nothing worth a word.
const MANY_ROWS: u64 = 10_000;

/// A scan that reads this many times what is wanted of it should be an index lookup.
const WASTE: u64 = 10;

/// What the probes' keys have where a template has a column.
const NOBODY: &str = "shopwarm-doctor";

/// All checks of a configuration. `wrong`: what is wrong with it, beside what it says.
pub async fn checkup(config: Option<&Config>, wrong: &[Failure]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = wrong
        .iter()
        .map(|failure| Finding::of("configuration", failure))
        .collect();
    let Some(config) = config else {
        return findings;
    };
    if wrong.is_empty() {
        findings.push(configuration(config));
    }
    findings.extend(
        config
            .shown
            .iter()
            .filter_map(|setting| url(setting, config)),
    );
    findings.extend(file_modes(&config.secret_files));
    findings.extend(password_files(config));
    let (definitions, selected, found) = definitions(config);
    findings.extend(found);
    let probes = probes(&selected, &config.prefix);
    let deadline = Instant::now() + PATIENCE;
    let (database, cache) = tokio::join!(
        check_database(config, &definitions, selected, deadline),
        check_cache(config, &probes, deadline)
    );
    findings.extend(database);
    findings.extend(cache);
    findings
}

fn configuration(config: &Config) -> Finding {
    let text = match &config.file {
        Some(file) => shown_path(file),
        None => "no file; flags, environment and defaults".to_owned(),
    };
    Finding::ok("configuration", text)
}

/// A server's URL and where it came from.
fn url(setting: &Shown, config: &Config) -> Option<Finding> {
    let (name, url, can_be_read) = match setting.name {
        "database_url" => {
            let checked = super::required_database(config)
                .and_then(|url| source::check_url(url, super::session_options(config)));
            (
                "database URL",
                config.database_url.as_ref(),
                checked.is_ok(),
            )
        }
        "cache_url" => {
            let checked = super::required_cache(config).and_then(cache::check_url);
            ("cache URL", config.cache_url.as_ref(), checked.is_ok())
        }
        _ => return None,
    };
    let value = shortened(&printable(setting.value.as_ref()?.as_bytes()), 200);
    let text = format!("{value} ({})", setting.from);
    Some(match can_be_read && url.is_some_and(Secret::is_valid) {
        true => Finding::ok(name, text),
        // Why it is not valid stands with the check of the server.
        false => Finding::failed(name, FailureKind::Config, text),
    })
}

/// Whether others than their owner can read the files that hold a secret.
fn file_modes(files: &[PathBuf]) -> Vec<Finding> {
    const CHECK: &str = "secret files";
    let mut findings = Vec::new();
    let mut well = Vec::new();
    for file in files {
        let shown = shown_path(file);
        match std::fs::metadata(file).map(|file| file.permissions().mode() & 0o777) {
            Ok(mode) if mode & 0o077 != 0 => {
                let text =
                    format!("{shown} holds a secret, and others may use it (mode {mode:03o})");
                findings.push(Finding::warning(CHECK, text).hint(format!("chmod 600 {shown}")));
            }
            Ok(_) => well.push(shown),
            Err(error) => {
                let text = format!("the mode of {shown} is not known: {error}");
                findings.push(Finding::warning(CHECK, text));
            }
        }
    }
    if !well.is_empty() {
        let text = format!("{} for the owner only", well.join(", "));
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}

/// Password files that a driver passes over in silence: others may read them.
fn password_files(config: &Config) -> Vec<Finding> {
    let url = config.database_url.as_ref();
    let wants_one = url.is_some_and(|url| !url.holds_password());
    let Some(dialect) = dialect(config).filter(|_| wants_one) else {
        return Vec::new();
    };
    let ignored = |file: PathBuf| {
        let mode = std::fs::metadata(&file).ok()?.permissions().mode() & 0o777;
        let shown = shown_path(&file);
        let text = format!("{shown} is not used: others may read it (mode {mode:03o})");
        let finding = Finding::warning("secret files", text).hint(format!("chmod 600 {shown}"));
        (mode & 0o077 != 0).then_some(finding)
    };
    dialect
        .password_files()
        .into_iter()
        .filter_map(ignored)
        .collect()
}

/// The definitions, the valid ones of them that a run would take, and what was found of them and of
/// the jobs.
fn definitions(config: &Config) -> (Definitions, Vec<Definition>, Vec<Finding>) {
    const CHECK: &str = "definitions";
    let definitions = match Definitions::load(&config.contexts) {
        Ok(definitions) => definitions,
        Err(failure) => {
            let findings = vec![Finding::of(CHECK, &failure)];
            return (Definitions::default(), Vec::new(), findings);
        }
    };
    let all = definitions.checked(&databases(config));
    let mut findings: Vec<Finding> = Vec::new();
    for fault in all
        .iter()
        .filter_map(|definition| definition.fault.as_ref())
    {
        let finding = Finding::of(CHECK, fault);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    match select(all.clone(), &Selection::All, &config.filter) {
        Err(failure) => {
            findings.push(Finding::of(CHECK, &failure));
            (definitions, Vec::new(), findings)
        }
        Ok(mut selected) => {
            let left_out = all.len() - selected.len();
            selected.retain(|definition| definition.fault.is_none());
            if !selected.is_empty() {
                findings.push(Finding::ok(
                    CHECK,
                    counted(&definitions, selected.len(), left_out),
                ));
            }
            findings.push(match super::jobs(config, &definitions, &all) {
                Ok(jobs) => Finding::ok("schedule", schedule::summary(&jobs, Timestamp::now())),
                Err(failure) => Finding::of("schedule", &failure),
            });
            (definitions, selected, findings)
        }
    }
}

fn counted(definitions: &Definitions, count: usize, left_out: usize) -> String {
    let shipped = definitions
        .with_shipped()
        .then(|| "the shipped ones".to_owned());
    let files = definitions.files().iter().map(|file| shown_path(file));
    let files = shipped
        .into_iter()
        .chain(files)
        .collect::<Vec<_>>()
        .join(", ");
    let left_out = match left_out {
        0 => String::new(),
        n => format!(", {n} left out"),
    };
    let strategies = if count == 1 { "strategy" } else { "strategies" };
    format!("{count} {strategies}{left_out}, from {files}")
}

/// A key of each strategy's template, and one of the tool's own.
fn probes(definitions: &[Definition], prefix: &str) -> Vec<RightsProbe> {
    let of_strategy = |definition: &Definition| {
        let spec = &definition.spec;
        let template = spec.key.clone().with_prefix(prefix);
        RightsProbe {
            strategy: Some(spec.id.to_string()),
            key: template.with_columns(NOBODY).into_bytes(),
            pattern: template.with_columns("*"),
            kind: Kind::of(spec.value),
        }
    };
    let own = RightsProbe {
        strategy: None,
        key: format!("{prefix}{}{NOBODY}", history::OWN).into_bytes(),
        pattern: format!("{prefix}{}*", history::OWN),
        kind: Kind::Hash,
    };
    definitions.iter().map(of_strategy).chain([own]).collect()
}

async fn check_cache(config: &Config, probes: &[RightsProbe], deadline: Instant) -> Vec<Finding> {
    let demo = config.demo.as_deref().map(demo::make_folder).transpose();
    let url = match demo.and_then(|_| super::required_cache(config)) {
        Ok(url) => url,
        Err(failure) => return vec![Finding::of("cache", &failure)],
    };
    let options = super::cache_options(config);
    timeout_at(deadline, cache::checkup(url, &options, probes))
        .await
        .unwrap_or_else(|_| vec![no_answer("cache", FailureKind::CacheUnreachable)])
}

async fn check_database(
    config: &Config,
    definitions: &Definitions,
    selected: Vec<Definition>,
    deadline: Instant,
) -> Vec<Finding> {
    const CHECK: &str = "database";
    let unreachable = || vec![no_answer(CHECK, FailureKind::SourceUnreachable)];
    let source = match timeout_at(deadline, super::source(config)).await {
        Ok(Ok(source)) => source,
        Ok(Err(failure)) => return vec![Finding::of(CHECK, &failure)],
        Err(_) => return unreachable(),
    };
    let Ok(mut findings) = timeout_at(deadline, source.checkup()).await else {
        return unreachable();
    };
    let sources = Sources::one(source);
    let zone = timeout_at(deadline, sources.bulk.zone()).await;
    let zone = zone.ok().flatten();
    let mut versions = Versions::default();
    for definition in selected {
        let id = definition.spec.id.to_string();
        let owns = definitions.owns(&definition.spec.id.context);
        let clock = clock::check(&definition, zone.as_ref(), sources.bulk.as_ref());
        findings.extend(timeout_at(deadline, clock).await.ok().flatten());
        let checked = check_strategy(definition, owns, &sources, config, &mut versions);
        match timeout_at(deadline, checked).await {
            Ok(finding) => findings.push(finding),
            Err(_) => {
                let finding = no_answer(&id, FailureKind::SourceUnreachable);
                findings.push(finding.hint(
                    "a lock on one of its tables, or a slow server; the strategies after it are not checked",
                ));
                break;
            }
        }
    }
    if config.options.verify_writes {
        let checked = timeout_at(deadline, protection::check(config, &sources, &versions));
        findings.extend(checked.await.unwrap_or_default());
    }
    findings
}

/// A strategy on the database: prepared, and how its rows would be read.
async fn check_strategy(
    definition: Definition,
    owns: &[String],
    sources: &Sources,
    config: &Config,
    versions: &mut Versions,
) -> Finding {
    let id = definition.spec.id.to_string();
    let order = definition.order_by.clone();
    let limit = config.options.limit;
    let wanted = [definition.limit, limit].into_iter().flatten().min();
    let strategy = match prepare_one(definition, sources, &config.prefix).await {
        Ok(strategy) => strategy,
        Err(failure) => return Finding::of(id, &failure),
    };
    versions.learn(strategy.as_ref()).await;
    let what = format!("{}; may read {}", strategy.spec().key, owns.join(", "));
    let plan = match strategy.plan(limit).await {
        Ok(plan) => plan,
        // PostgreSQL looks at the user's rights only now.
        Err(failure) => return Finding::of(id, &failure),
    };
    let wanted = [wanted, plan.rows].into_iter().flatten().min();
    let wasteful = plan.scans.iter().find(|scan| is_wasteful(scan, wanted));
    if let Some(why) = strategy.opaque() {
        let text = format!("{what}; its keys cannot be looked up again: {why}");
        return Finding::warning(id, text).hint(
            "until then nothing it writes is read again, removed as stale, or read by its changes",
        );
    }
    let Some(scan) = wasteful else {
        return Finding::ok(id, format!("{what}; {}", reading(&plan, owns)));
    };
    let wanted = wanted.unwrap_or_default();
    let text = format!(
        "{what}; reads {} without an index for {wanted} of them",
        rows_of(scan)
    );
    let order = order
        .map(|order| format!(", ORDER BY {order}"))
        .unwrap_or_default();
    Finding::warning(id, text).hint(format!(
        "an index on {} that fits the query (its WHERE{order}) makes it read only those",
        printable(scan.table.as_bytes())
    ))
}

fn is_wasteful(scan: &Scan, wanted: Option<u64>) -> bool {
    let (Some(rows), Some(wanted)) = (scan.rows, wanted) else {
        return false;
    };
    rows >= MANY_ROWS && rows >= wanted.saturating_mul(WASTE)
}

/// The tables that are read from end to end; what a query calls by a name of its own is left out
/// where there are others.
fn reading(plan: &QueryPlan, owns: &[String]) -> String {
    let mut all: Vec<&Scan> = Vec::new();
    for scan in &plan.scans {
        if !all.iter().any(|other| other.table == scan.table) {
            all.push(scan);
        }
    }
    let is_owned = |scan: &&Scan| {
        owns.iter()
            .any(|name| name.eq_ignore_ascii_case(&scan.table))
    };
    let owned: Vec<String> = all.iter().copied().filter(is_owned).map(rows_of).collect();
    match (all.is_empty(), owned.is_empty()) {
        (true, _) => "reads by index".to_owned(),
        (false, false) => format!("reads {}", owned.join(", ")),
        (false, true) => {
            let all: Vec<String> = all.into_iter().map(rows_of).collect();
            format!("reads {}", all.join(", "))
        }
    }
}

/// `all of products (130 rows)`.
fn rows_of(scan: &Scan) -> String {
    let table = printable(scan.table.as_bytes());
    match scan.rows {
        Some(rows) => format!("all of {table} ({} rows)", HumanCount(rows)),
        None => format!("all of {table}"),
    }
}

fn no_answer(check: &str, kind: FailureKind) -> Finding {
    let text = format!("no answer within {} s", PATIENCE.as_secs());
    Finding::failed(check, kind, text)
        .hint("see whether it is overloaded, or something on the way to it is")
}

fn shown_path(path: &Path) -> String {
    printable(path.display().to_string().as_bytes())
}
