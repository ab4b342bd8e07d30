//! The database, and each strategy on it.

use std::sync::Arc;
use std::time::Duration;

use indicatif::HumanCount;
use tokio::time::{Instant, timeout_at};

use super::cached;
use super::clock;
use super::protection::{self, Versions};
use crate::application::ports::{Cache, QueryPlan, Scan, Sources, WarmupStrategy};
use crate::config::Config;
use crate::contexts::definitions::{Definitions, Owns};
use crate::domain::database::Sql;
use crate::domain::encode::Hint;
use crate::domain::failure::FailureKind;
use crate::domain::finding::Finding;
use crate::domain::key::printable;
use crate::domain::strategy::Definition;
use crate::setup::connections::source;
use crate::setup::coordinators::prepare_all;

/// All checks must end within ten seconds.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// Full scans of smaller tables are not reported.
const MANY_ROWS: u64 = 10_000;

/// A scan that reads this many times the wanted rows should use an index.
const WASTE: u64 = 10;

pub(super) async fn check_database(
    config: &Config,
    definitions: &Definitions,
    selected: Vec<Definition>,
    deadline: Instant,
) -> DatabaseChecks {
    const CHECK: &str = "database";
    let only = |finding| DatabaseChecks {
        findings: vec![finding],
        prepared: Vec::new(),
    };
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
        let owns = definitions.owns(&definition.spec.id.context);
        let clock = clock::check(&definition, zone.as_ref(), checks.sources.bulk.as_ref());
        let clock = timeout_at(deadline, clock).await.ok().flatten();
        checks.found.findings.extend(clock);
        let checked = timeout_at(deadline, checks.definition(definition, &owns)).await;
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
    /// Where further findings about it belong.
    place: usize,
}

impl Checks<'_> {
    /// Checks the strategy of a definition, or all that it is repeated as.
    async fn definition(&mut self, definition: Definition, owns: &Owns) {
        let id = definition.spec.id.to_string();
        let fitted = prepare_all(definition.clone(), &self.sources, self.config).await;
        let fitted = match fitted {
            Ok(fitted) => fitted,
            Err(failure) => return self.found.findings.push(Finding::of(id, &failure)),
        };
        for (spec, strategy) in fitted {
            match strategy {
                Ok(strategy) => self.strategy(&definition, strategy, owns).await,
                Err(failure) => {
                    let finding = Finding::of(spec.id.to_string(), &failure);
                    self.found.findings.push(finding);
                }
            }
        }
    }

    /// Checks how the database would read a strategy, and what readers would get.
    async fn strategy(
        &mut self,
        definition: &Definition,
        strategy: Arc<dyn WarmupStrategy>,
        owns: &Owns,
    ) {
        let id = strategy.spec().id.to_string();
        let limit = self.config.run.limit();
        let wanted = [definition.limit, limit].into_iter().flatten().min();
        if definition.sql == Sql::default() {
            let key = &strategy.spec().key;
            let text = format!("{key}; put together in code, reads no table");
            return self.found.findings.push(Finding::ok(id, text));
        }
        self.versions.learn(strategy.as_ref()).await;
        let order = definition.order_by.clone();
        let finding = match strategy.plan(limit).await {
            Ok(plan) => planned(strategy.as_ref(), &plan, (wanted, order), owns),
            // PostgreSQL checks the user's rights only here.
            Err(failure) => return self.found.findings.push(Finding::of(id, &failure)),
        };
        self.found.findings.push(finding);
        let place = self.found.findings.len();
        self.found.prepared.push(Checked {
            strategy,
            types: definition.types.clone(),
            place,
        });
    }
}

impl DatabaseChecks {
    /// Compares values with those in the cache, in the time that is left.
    pub(super) async fn values(&mut self, cache: Option<&dyn Cache>, deadline: Instant) {
        let (mut found, mut missed) = (Vec::new(), Vec::new());
        for Checked {
            strategy,
            types,
            place,
        } in std::mem::take(&mut self.prepared)
        {
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
            self.findings
                .push(Finding::warning("values", text).hint(hint));
        }
    }
}

/// How the database would read a strategy, with so many rows wanted in some order.
fn planned(
    strategy: &dyn WarmupStrategy,
    plan: &QueryPlan,
    (wanted, order): (Option<u64>, Option<String>),
    owns: &Owns,
) -> Finding {
    let id = strategy.spec().id.to_string();
    let may_read = match owns.is_said() {
        true => owns.entries().join(", "),
        false => "any table".to_owned(),
    };
    let what = format!("{}; may read {may_read}", strategy.spec().key);
    let wanted = [wanted, plan.rows].into_iter().flatten().min();
    let wasteful = plan.scans.iter().find(|scan| is_wasteful(scan, wanted));
    if let Some(why) = strategy.opaque() {
        let text = format!("{what}; its keys cannot be looked up again: {why}");
        return Finding::warning(id, text)
            .hint("until then its keys are not verified, not pruned, and always read in full");
    }
    let Some(scan) = wasteful else {
        return Finding::ok(id, format!("{what}; {}", reading(plan, owns)));
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
        "add an index on {} that fits the query (its WHERE{order})",
        printable(scan.table.as_bytes())
    ))
}

fn is_wasteful(scan: &Scan, wanted: Option<u64>) -> bool {
    let (Some(rows), Some(wanted)) = (scan.rows, wanted) else {
        return false;
    };
    rows >= MANY_ROWS && rows >= wanted.saturating_mul(WASTE)
}

/// The tables of full scans; names that are not tables are left out if there are others.
fn reading(plan: &QueryPlan, owns: &Owns) -> String {
    let mut all: Vec<&Scan> = Vec::new();
    for scan in &plan.scans {
        if !all.iter().any(|other| other.table == scan.table) {
            all.push(scan);
        }
    }
    let is_owned = |scan: &&Scan| owns.covers_bare(&scan.table);
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

pub(super) fn no_answer(check: &str, kind: FailureKind) -> Finding {
    let text = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs());
    Finding::failed(check, kind, text).hint("check whether the server or the network is overloaded")
}
