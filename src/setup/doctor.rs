//! Checks before a run: configuration, definitions, both servers.
//!
//! No check stops the others. Each server is asked once, both in parallel, with a timeout of
//! `ANSWER_TIMEOUT`.

mod cached;
mod clock;
mod database;
mod protection;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use self::database::{ANSWER_TIMEOUT, check_database, no_answer};
use super::connections::{cache_options, required_cache, required_database, session_options};
use super::definitions::{advice, databases, dialect, jobs};
use crate::application::ports::{Cache, PermissionProbe};
use crate::application::record::history;
use crate::application::schedule;
use crate::config::{Config, Secret, Shown};
use crate::contexts::definitions::Definitions;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::{Finding, Level};
use crate::domain::key::{printable, shortened};
use crate::domain::namespace;
use crate::domain::selection::{Selection, select};
use crate::domain::standing::Kind;
use crate::domain::strategy::Definition;
use crate::infrastructure::{cache, demo, source};

/// Placeholder for columns in the keys of the probes.
const NOBODY: &str = "shopwarm-doctor";

/// All checks of a configuration. `wrong`: the errors found while reading it.
pub async fn checkup(
    config: Option<&Config>,
    wrong: &[Failure],
    selection: &Selection,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        wrong.iter().map(|failure| Finding::of("configuration", failure)).collect();
    let Some(config) = config else {
        return findings;
    };
    if wrong.is_empty() {
        findings.push(configuration(config));
    }
    findings.extend(config.shown.iter().filter_map(|setting| url(setting, config)));
    findings.extend(file_modes(&config.secret_files));
    findings.extend(password_files(config));
    let (selected, found) = definitions(config, selection);
    findings.extend(found);
    let probes = probes(&selected, &config.prefix);
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    let (mut database, (cache_findings, cache)) = tokio::join!(
        check_database(config, selected, deadline),
        check_cache(config, &probes, deadline)
    );
    if let Some(cache) = cache.as_deref() {
        let runs = timeout_at(deadline, history::runs(cache, &config.prefix)).await;
        database.costs(&runs.into_iter().flatten().flatten().collect::<Vec<_>>());
    }
    database.values(cache.as_deref(), deadline).await;
    findings.extend(database.findings);
    findings.extend(cache_findings);
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
            let checked = required_database(config)
                .and_then(|url| source::check_url(url, &session_options(config)));
            ("database URL", config.database_url.as_ref(), checked.is_ok())
        }
        "cache_url" => {
            let checked = required_cache(config)
                .and_then(|url| cache::check_url(url, &cache::ConnectOptions::default()));
            ("cache URL", config.cache_url.as_ref(), checked.is_ok())
        }
        _ => return None,
    };
    let value = shortened(&printable(setting.value.as_ref()?.as_bytes()), 200);
    let text = format!("{value} ({})", setting.from);
    Some(match can_be_read && url.is_some_and(Secret::is_valid) {
        true => Finding::ok(name, text),
        // The server's check reports an invalid URL.
        false => Finding::failed(name, FailureKind::Config, text),
    })
}

/// Whether other users can read the files with secrets.
fn file_modes(files: &[PathBuf]) -> Vec<Finding> {
    const CHECK: &str = "secret files";
    let mut findings = Vec::new();
    let mut well = Vec::new();
    for file in files {
        let shown = shown_path(file);
        match std::fs::metadata(file).map(|file| file.permissions().mode() & 0o777) {
            Ok(mode) if mode & 0o077 != 0 => {
                let text = format!(
                    "{shown} holds a secret, and other users can access it (mode {mode:03o})"
                );
                findings.push(Finding::warning(CHECK, text).hint(format!("chmod 600 {shown}")));
            }
            Ok(_) => well.push(shown),
            Err(error) => {
                let text = format!("cannot read the mode of {shown}: {error}");
                findings.push(Finding::warning(CHECK, text));
            }
        }
    }
    if !well.is_empty() {
        let text = format!("{} private to the owner", well.join(", "));
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}

/// Password files that a driver ignores silently because other users can read them.
fn password_files(config: &Config) -> Vec<Finding> {
    let url = config.database_url.as_ref();
    let wants_one = url.is_some_and(|url| !url.holds_password());
    let Some(dialect) = dialect(config).filter(|_| wants_one) else {
        return Vec::new();
    };
    let ignored = |file: PathBuf| {
        let mode = std::fs::metadata(&file).ok()?.permissions().mode() & 0o777;
        let shown = shown_path(&file);
        let text = format!("{shown} is not used: other users can read it (mode {mode:03o})");
        let finding = Finding::warning("secret files", text).hint(format!("chmod 600 {shown}"));
        (mode & 0o077 != 0).then_some(finding)
    };
    dialect.password_files().into_iter().filter_map(ignored).collect()
}

/// The valid definitions that a run would use, and the findings about them and the jobs.
fn definitions(config: &Config, selection: &Selection) -> (Vec<Definition>, Vec<Finding>) {
    const CHECK: &str = "definitions";
    let definitions = match config.definitions() {
        Ok(definitions) => definitions,
        Err(failure) => {
            let findings = vec![Finding::of(CHECK, &failure)];
            return (Vec::new(), findings);
        }
    };
    if let Err(failure) = definitions.check_vars(&config.vars()) {
        let findings = vec![Finding::of(CHECK, &failure)];
        return (Vec::new(), findings);
    }
    let all = definitions.checked(&databases(config), &config.vars());
    let ignored = definitions.ignored().iter();
    let mut findings: Vec<Finding> = ignored.map(|file| not_read(CHECK, file)).collect();
    for fault in all.iter().filter_map(|definition| definition.fault.as_ref()) {
        let finding = Finding::of(CHECK, fault);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    match select(all.clone(), selection, &config.filter()) {
        Err(failure) => {
            findings.push(Finding::of(CHECK, &failure));
            (Vec::new(), findings)
        }
        Ok(mut selected) => {
            let left_out = all.len() - selected.len();
            selected.retain(|definition| definition.fault.is_none());
            findings.extend(advice(&selected));
            if !selected.is_empty() {
                let is_fault = |finding: &Finding| matches!(finding.level, Level::Failed(_));
                let check = if findings.iter().any(is_fault) { "other definitions" } else { CHECK };
                let text = counted(&definitions, selected.len(), left_out);
                findings.push(Finding::ok(check, text));
            }
            findings.push(match jobs(config, &definitions, &all) {
                Ok(jobs) => Finding::ok("schedule", schedule::summary(&jobs, Timestamp::now(), 1)),
                Err(failure) => Finding::of("schedule", &failure),
            });
            (selected, findings)
        }
    }
}

fn not_read(check: &str, file: &Path) -> Finding {
    let text = format!("{} is not read", shown_path(file));
    Finding::warning(check, text).hint("definitions are .toml files; move others out of the folder")
}

fn counted(definitions: &Definitions, count: usize, left_out: usize) -> String {
    let shipped = definitions.with_shipped().then(|| "the shipped definitions".to_owned());
    let files = definitions.files().iter().map(|file| shown_path(file));
    let mut files: Vec<String> = shipped.into_iter().chain(files).collect();
    let last = files.pop().unwrap_or_default();
    let files = match files.is_empty() {
        true => last,
        false => format!("{} and {last}", files.join(", ")),
    };
    let left_out = match left_out {
        0 => String::new(),
        n => format!(", {n} left out"),
    };
    let strategies = if count == 1 { "strategy" } else { "strategies" };
    format!("{count} {strategies}{left_out}, from {files}")
}

/// A key of each strategy's template, and one of the tool's own.
fn probes(definitions: &[Definition], prefix: &str) -> Vec<PermissionProbe> {
    let of_strategy = |definition: &Definition| {
        let spec = &definition.spec;
        let template = spec.key.clone().with_prefix(prefix);
        PermissionProbe {
            strategy: Some(spec.id.to_string()),
            key: template.with_columns(NOBODY).into_bytes(),
            pattern: template.with_columns("*"),
            kind: Kind::of(spec.value),
        }
    };
    let own = PermissionProbe {
        strategy: None,
        key: format!("{}{NOBODY}", namespace::all(prefix)).into_bytes(),
        pattern: format!("{}*", namespace::all(prefix)),
        kind: Kind::Hash,
    };
    definitions.iter().map(of_strategy).chain([own]).collect()
}

/// The findings about the cache, and the cache itself if it has no fault.
async fn check_cache(
    config: &Config,
    probes: &[PermissionProbe],
    deadline: Instant,
) -> (Vec<Finding>, Option<Arc<dyn Cache>>) {
    let sample = config.demo.as_ref();
    let demo = sample.map(|sample| demo::make_folder(&sample.folder));
    let url = match demo.transpose().and_then(|_| required_cache(config)) {
        Ok(url) => url,
        Err(failure) => return (vec![Finding::of("cache", &failure)], None),
    };
    let options = cache_options(config);
    let checked = timeout_at(deadline, cache::checkup(url, &options, probes)).await;
    let Ok((findings, cache)) = checked else {
        let finding = no_answer("cache", FailureKind::CacheUnreachable);
        return (vec![finding], None);
    };
    let has_fault = |finding: &Finding| matches!(finding.level, Level::Failed(_));
    let cache = cache.filter(|_| !findings.iter().any(has_fault));
    (findings, cache)
}

fn shown_path(path: &Path) -> String {
    printable(path.display().to_string().as_bytes())
}
