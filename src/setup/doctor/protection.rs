//! How well a run is protected against concurrent changes.

use std::time::Duration;

use tokio::time::timeout;

use crate::application::ports::{Sources, WarmupStrategy};
use crate::config::Config;
use crate::domain::finding::Finding;
use crate::domain::precision::{FINER, Precision};
use crate::domain::server::ServerRole;
use crate::setup::connections::primary;

const CHECK: &str = "protection";

const UNSEEN: &str = "it may lack the latest changes";

/// What covers several tables.
const COVER: &str = "let _version come from all of them: the versions of joined rows, CONCAT(a.version, '/', \
    b.version), on PostgreSQL concat(a.xmin, '/', b.xmin), or a hash of all columns, which nested rows \
    need; where that is not possible, unprotected = \"ok\" accepts it";

/// Timeout for reading the first rows.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// The precision of the strategies' versions.
#[derive(Default)]
pub(super) struct Versions {
    /// Strategies without `_version`.
    open: Vec<String>,
    /// Strategies whose definitions accept how little protects them.
    accepted: usize,
    /// About strategies whose versions do not show all changes.
    partial: Vec<Finding>,
    to_the_second: Vec<String>,
    to_the_day: Vec<String>,
}

impl Versions {
    /// Checks the first rows of a strategy.
    pub(super) async fn learn(&mut self, strategy: &dyn WarmupStrategy) {
        let id = strategy.spec().id.to_string();
        if strategy.spec().unprotected_ok {
            self.accepted += 1;
            return;
        }
        if strategy.portions().await.is_ok() && strategy.opaque().is_none() {
            return;
        }
        if !strategy.is_versioned() {
            self.open.push(id);
            return;
        }
        if let Some(why) = strategy.spec().gap() {
            let text = format!("{id} may leave stale values if rows change during a run: {why}");
            let finding = Finding::warning(CHECK, text).hint(COVER);
            return self.partial.push(finding);
        }
        match timeout(READ_TIMEOUT, strategy.precision()).await {
            Ok(Ok(Some(Precision::Second))) => self.to_the_second.push(id),
            Ok(Ok(Some(Precision::Day))) => self.to_the_day.push(id),
            _ => {}
        }
    }

    fn findings(&self) -> impl Iterator<Item = Finding> {
        let of = |ids: &[String], what: &str, hint: String| {
            let text = format!("{} {what}", ids.join(", "));
            (!ids.is_empty()).then(|| Finding::warning(CHECK, text).hint(hint))
        };
        let all = [
            of(
                &self.open,
                "may leave stale values if rows change during a run: the query selects no _version",
                "select what changes with the row AS _version: a version column, updated_at, or \
                 xmin::text on PostgreSQL; if there is none, unprotected = \"ok\" \
                 accepts it"
                    .to_owned(),
            ),
            of(
                &self.to_the_second,
                "may miss the later of two changes within a second: _version has whole seconds in \
                 the first rows",
                format!("select AS _version {FINER}"),
            ),
            of(
                &self.to_the_day,
                "may leave stale values where rows change during a run: _version is a date, which \
                 changes once a day",
                format!("select AS _version {FINER}"),
            ),
        ];
        all.into_iter().flatten().chain(self.partial.iter().cloned())
    }
}

/// Whether versions can be checked on the primary, and how precise they are.
pub(super) async fn check(config: &Config, sources: &Sources, versions: &Versions) -> Vec<Finding> {
    let mut findings: Vec<Finding> = versions.findings().collect();
    match &config.primary_url {
        Some(url) => match primary(url, config).await {
            Ok(primary) => findings.extend(named(primary.role().await)),
            Err(failure) => findings.push(Finding::of(CHECK, &failure)),
        },
        None => findings.extend(unlike_a_primary(sources.bulk.role().await).map(|what| {
            let text = format!("the database {what}: {UNSEEN}");
            Finding::warning(CHECK, text)
                .hint("give --primary-url: only row versions are read there")
        })),
    }
    if findings.is_empty() {
        let text =
            "row versions are checked on the primary after writing, and stale values are removed";
        let but = match versions.accepted {
            0 => String::new(),
            1 => "; 1 strategy is unprotected on purpose".to_owned(),
            n => format!("; {n} strategies are unprotected on purpose"),
        };
        findings.push(Finding::ok(CHECK, format!("{text}{but}")));
    }
    findings
}

/// What is wrong with the server in `--primary-url`. A server that does not state its role is
/// accepted.
fn named(role: ServerRole) -> Option<Finding> {
    let what = unlike_a_primary(role).filter(|_| role != ServerRole::NotKnown)?;
    let text = format!("--primary-url names a server that {what}: {UNSEEN}");
    Some(Finding::warning(CHECK, text).hint("give the primary's URL"))
}

/// Why a server does not count as the primary.
fn unlike_a_primary(role: ServerRole) -> Option<&'static str> {
    match role {
        ServerRole::Primary => None,
        ServerRole::Replica => Some("is a replica"),
        ServerRole::ReadOnly => Some("refuses writes, like a replica or a standby"),
        ServerRole::NotKnown => Some("does not say whether it is a replica"),
    }
}
