//! The database, and each strategy on it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::cached;
use super::clock;
use super::protection::{self, Versions};
use crate::application::ports::{Cache, Dialect, QueryPlan, Scan, Sources, WarmupStrategy};
use crate::application::record::{RunRecord, StrategyRecord};
use crate::config::Config;
use crate::contexts::sql::relations::{Relation, relations};
use crate::domain::database::Sql;
use crate::domain::encode::Hint;
use crate::domain::failure::FailureKind;
use crate::domain::finding::{Finding, Level};
use crate::domain::key::printable;
use crate::domain::order_by::OrderBy;
use crate::domain::report::Stage;
use crate::domain::strategy::Definition;
use crate::domain::wording::{grouped, keys, seconds};
use crate::setup::connections::source;
use crate::setup::coordinators::prepare_all;

/// All checks must end within ten seconds.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// Full scans of smaller tables are not reported.
const MANY_ROWS: u64 = 10_000;

/// Reading all of a table this big costs a run something.
const BIG: u64 = 100_000;

/// A scan that reads this many times the wanted rows should use an index.
const WASTE: u64 = 10;

pub(super) async fn check_database(
    config: &Config,
    selected: Vec<Definition>,
    deadline: Instant,
) -> DatabaseChecks {
    const CHECK: &str = "database";
    let only = |finding| DatabaseChecks { findings: vec![finding], prepared: Vec::new() };
    let unreachable = || only(no_answer(CHECK, FailureKind::SourceUnreachable));
    let source = match timeout_at(deadline, source(config)).await {
        Ok(Ok(source)) => source,
        Ok(Err(failure)) => return only(Finding::of(CHECK, &failure)),
        Err(_) => return unreachable(),
    };
    let Ok(findings) = timeout_at(deadline, source.checkup()).await else {
        return unreachable();
    };
    let prepared = Vec::new();
    let mut checks = Checks {
        config,
        sources: Sources::one(source),
        versions: Versions::default(),
        found: DatabaseChecks { findings, prepared },
    };
    let zone = timeout_at(deadline, checks.sources.bulk.zone()).await;
    let zone = zone.ok().flatten();
    for definition in selected {
        let id = definition.spec.id.to_string();
        let source = checks.sources.bulk.as_ref();
        let sessions = &config.session_timezone;
        let clock = clock::check(&definition, zone.as_ref(), sessions, source);
        let clock = timeout_at(deadline, clock).await.ok().flatten();
        checks.found.findings.extend(clock);
        let checked = timeout_at(deadline, checks.definition(definition)).await;
        if checked.is_err() {
            let finding = no_answer(&id, FailureKind::SourceUnreachable);
            checks.found.findings.push(finding.hint(
                "a lock on one of its tables, or a slow server; the strategies after it are not checked",
            ));
            break;
        }
    }
    if config.run.verify_writes() {
        let checked = protection::check(config, &checks.sources, &checks.versions);
        let checked = timeout_at(deadline, checked).await;
        checks.found.findings.extend(checked.unwrap_or_default());
    }
    checks.found
}

/// The checks of each strategy, and what they have found.
struct Checks<'a> {
    config: &'a Config,
    sources: Sources,
    versions: Versions,
    found: DatabaseChecks,
}

/// What the checks of the database have found, and what can be compared with the cache.
pub(super) struct DatabaseChecks {
    pub(super) findings: Vec<Finding>,
    prepared: Vec<Checked>,
}

/// A strategy that fits the database.
struct Checked {
    strategy: Arc<dyn WarmupStrategy>,
    /// The columns that its definition says something about.
    types: Vec<(String, Hint)>,
    /// Rows of the biggest table that it reads whole.
    rows: u64,
    /// Where further findings about it belong.
    place: usize,
}

impl Checks<'_> {
    /// Checks the strategy of a definition, or all that it is repeated as.
    async fn definition(&mut self, definition: Definition) {
        let id = definition.spec.id.to_string();
        let fitted = prepare_all(definition.clone(), &self.sources, self.config).await;
        let fitted = match fitted {
            Ok(fitted) => fitted,
            Err(failure) => return self.found.findings.push(Finding::of(id, &failure)),
        };
        for (spec, strategy) in fitted {
            match strategy {
                Ok(strategy) => self.strategy(&definition, strategy).await,
                Err(failure) => {
                    let finding = Finding::of(spec.id.to_string(), &failure);
                    self.found.findings.push(finding);
                }
            }
        }
    }

    /// Checks how the database would read a strategy, and what readers would get.
    async fn strategy(&mut self, definition: &Definition, strategy: Arc<dyn WarmupStrategy>) {
        let id = strategy.spec().id.to_string();
        let reads_from = relations_of(definition, self.sources.bulk.dialect());
        let limit = self.config.run.limit();
        let wanted = [definition.limit, limit].into_iter().flatten().min();
        if definition.sql == Sql::default() {
            let key = &strategy.spec().key;
            let text = format!("{key}; put together in code, reads no table");
            return self.found.findings.push(Finding::ok(id, text));
        }
        self.versions.learn(strategy.as_ref()).await;
        let order = definition.order_by.clone();
        let plan = match strategy.plan(limit).await {
            Ok(plan) => plan,
            // PostgreSQL checks the user's privileges only here.
            Err(failure) => return self.found.findings.push(Finding::of(id, &failure)),
        };
        let portions = strategy.portions().await;
        let finding = planned(strategy.as_ref(), &plan, (wanted, order), &reads_from, portions);
        self.found.findings.push(finding);
        let rows = plan.scans.iter().filter_map(|scan| scan.rows).max();
        let place = self.found.findings.len();
        self.found.prepared.push(Checked {
            strategy,
            types: definition.types.clone(),
            rows: rows.unwrap_or_default(),
            place,
        });
    }
}

impl DatabaseChecks {
    /// Adds to the scans of big tables what they cost the last run.
    pub(super) fn costs(&mut self, runs: &[RunRecord]) {
        for Checked { strategy, rows, place, .. } in
            self.prepared.iter().filter(|checked| checked.rows >= BIG)
        {
            let id = strategy.spec().id.to_string();
            let unlimited = runs.iter().filter(|run| run.limit.is_none());
            let mut last = unlimited.flat_map(|run| &run.strategies);
            let Some(last) = last.find(|last| last.id == id && is_whole(last)) else {
                continue;
            };
            let finding = &mut self.findings[place - 1];
            let took = seconds(Duration::from_millis(last.elapsed_ms));
            finding.text += &format!("; the last run took {took} for {}", keys(last.total));
            // A row takes more than a byte where it is stored.
            if last.counts.bytes < *rows && finding.hint.is_none() {
                finding.level = Level::Warning;
                finding.hint = Some(
                    "most of the rows it reads are not stored: add an index that fits WHERE and ORDER BY, or LIMIT inside the query"
                        .to_owned(),
                );
            }
        }
    }

    /// Compares values with those in the cache, in the time that is left.
    pub(super) async fn values(&mut self, cache: Option<&dyn Cache>, deadline: Instant) {
        let (mut found, mut missed) = (Vec::new(), Vec::new());
        for Checked { strategy, types, place, .. } in std::mem::take(&mut self.prepared) {
            let checked = cached::check(strategy.as_ref(), &types, cache);
            match timeout_at(deadline, checked).await {
                Ok(findings) => found.push((place, findings)),
                Err(_) => missed.push(strategy.spec().id.to_string()),
            }
        }
        for (place, findings) in found.into_iter().rev() {
            self.findings.splice(place..place, findings);
        }
        if !missed.is_empty() {
            let text = format!("no time was left for {}", missed.join(", "));
            let hint = "`shopwarm doctor CONTEXT/STRATEGY` checks one at a time";
            self.findings.push(Finding::warning("values", text).hint(hint));
        }
    }
}

/// Whether a run has read and written everything of a strategy.
fn is_whole(last: &StrategyRecord) -> bool {
    let counts = &last.counts;
    let wrote_all = counts.warmed == last.total && counts.identical.is_none();
    last.status == Stage::Completed && last.read.is_none() && wrote_all
}

/// How the database would read a strategy, with so many rows wanted in some order.
fn planned(
    strategy: &dyn WarmupStrategy,
    plan: &QueryPlan,
    (wanted, order): (Option<u64>, OrderBy),
    reads_from: &[Relation],
    portions: Result<(), String>,
) -> Finding {
    let id = strategy.spec().id.to_string();
    let what = format!("{}{}", strategy.spec().key, from(reads_from));
    let wanted = [wanted, plan.rows].into_iter().flatten().min();
    let wasteful = plan.scans.iter().find(|scan| is_wasteful(scan, wanted));
    let is_accepted = strategy.spec().unprotected_ok;
    let how = match portions {
        Ok(()) => ", in portions".to_owned(),
        Err(why) => format!(", in one stream: {why}"),
    };
    if let Some(why) = strategy.opaque().filter(|_| !is_accepted) {
        let text = format!("{what}; rows cannot be found by key: {why}");
        return Finding::warning(id, text)
            .hint("until this is fixed, its keys cannot be verified or pruned, and --changed reads everything");
    }
    let Some(scan) = wasteful else {
        return Finding::ok(id, format!("{what}; {}{how}", reading(plan, reads_from)));
    };
    let wanted = wanted.unwrap_or_default();
    let text = format!(
        "{what}; reads {} without an index for {wanted} of them",
        rows_of(scan, reads_from)
    );
    let order = match order.is_empty() {
        true => String::new(),
        false => format!(", ORDER BY {order}"),
    };
    Finding::warning(id, text).hint(format!(
        "add an index on {} that fits the query (its WHERE{order})",
        table_of(scan, reads_from)
    ))
}

fn is_wasteful(scan: &Scan, wanted: Option<u64>) -> bool {
    let (Some(rows), Some(wanted)) = (scan.rows, wanted) else {
        return false;
    };
    rows >= MANY_ROWS && rows >= wanted.saturating_mul(WASTE)
}

/// The tables that the definition's query names.
fn relations_of(definition: &Definition, dialect: Dialect) -> Vec<Relation> {
    let sql = definition.sql.of(dialect.name());
    sql.map(|sql| relations(sql, dialect.grammar())).unwrap_or_default()
}

/// `; from products, prices`.
fn from(relations: &[Relation]) -> String {
    let mut tables: Vec<&str> = Vec::new();
    for relation in relations {
        if !tables.contains(&relation.table.as_str()) {
            tables.push(&relation.table);
        }
    }
    match tables.is_empty() {
        true => String::new(),
        false => format!("; from {}", tables.join(", ")),
    }
}

/// The tables of full scans; names that are not tables are left out if there are others.
fn reading(plan: &QueryPlan, relations: &[Relation]) -> String {
    let mut all: Vec<&Scan> = Vec::new();
    for scan in &plan.scans {
        if !all.iter().any(|other| other.table == scan.table) {
            all.push(scan);
        }
    }
    let shown = |scan: &&Scan| rows_of(scan, relations);
    let is_named = |scan: &&&Scan| named(scan, relations).is_some();
    let tables: Vec<String> = all.iter().filter(is_named).map(shown).collect();
    match (all.is_empty(), tables.is_empty()) {
        (true, _) => "reads by index".to_owned(),
        (false, false) => format!("reads {}", tables.join(", ")),
        (false, true) => {
            let all: Vec<String> = all.iter().map(shown).collect();
            format!("reads {}", all.join(", "))
        }
    }
}

/// The table of a scan: some databases say what the query calls it.
fn named<'r>(scan: &Scan, relations: &'r [Relation]) -> Option<&'r str> {
    let is_called = |name: &str| name.eq_ignore_ascii_case(&scan.table);
    let is_meant = |relation: &&Relation| is_called(&relation.alias) || is_called(&relation.table);
    let relation = relations.iter().find(is_meant)?;
    Some(&relation.table)
}

fn table_of(scan: &Scan, relations: &[Relation]) -> String {
    let table = named(scan, relations).unwrap_or(&scan.table);
    printable(table.as_bytes())
}

/// `all of products (~130 rows)`: plans only estimate.
fn rows_of(scan: &Scan, relations: &[Relation]) -> String {
    let table = table_of(scan, relations);
    match scan.rows {
        Some(rows) => format!("all of {table} (~{} rows)", grouped(rows)),
        None => format!("all of {table}"),
    }
}

pub(super) fn no_answer(check: &str, kind: FailureKind) -> Finding {
    let text = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs());
    Finding::failed(check, kind, text).hint("check whether the server or the network is overloaded")
}
