//! How well a run's entries are protected against changes that overtake them.

use std::time::Duration;

use tokio::time::timeout;

use crate::application::ports::{Sources, WarmupStrategy};
use crate::config::Config;
use crate::domain::finding::Finding;
use crate::domain::precision::{FINER, Precision};
use crate::domain::server::ServerRole;
use crate::setup::connections::primary;

const CHECK: &str = "protection";

const UNSEEN: &str = "changes that it does not have yet cannot be seen";

/// A database that takes longer to show a few rows is not asked for them.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the strategies' versions are like.
#[derive(Default)]
pub(super) struct Versions {
    /// Strategies without.
    open: Vec<String>,
    to_the_second: Vec<String>,
    to_the_day: Vec<String>,
}

impl Versions {
    /// Looks at the first rows of a strategy.
    pub(super) async fn learn(&mut self, strategy: &dyn WarmupStrategy) {
        let id = strategy.spec().id.to_string();
        if !strategy.is_versioned() {
            self.open.push(id);
            return;
        }
        match timeout(PATIENCE, strategy.precision()).await {
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
                "may leave stale values where rows change during a run: no _version is selected",
                "select what changes with the row AS _version: a version column, updated_at, or \
                 xmin::text on PostgreSQL"
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
        all.into_iter().flatten()
    }
}

/// Whether what a run writes can be read again on the primary, and what its versions tell.
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
                .hint("give --primary-url: only the versions of what was written are read there")
        })),
    }
    if findings.is_empty() {
        let text = "what is written is read again on the primary, and undone where it has changed";
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}

/// What is wrong with the server that the operator names as the primary; where it does not say what
/// it is, their word is taken.
fn named(role: ServerRole) -> Option<Finding> {
    let what = unlike_a_primary(role).filter(|_| role != ServerRole::NotKnown)?;
    let text = format!("--primary-url names a server that {what}: {UNSEEN}");
    Some(Finding::warning(CHECK, text).hint("give the primary's URL"))
}

/// What keeps a server from being known as the primary.
fn unlike_a_primary(role: ServerRole) -> Option<&'static str> {
    match role {
        ServerRole::Primary => None,
        ServerRole::Replica => Some("is a replica"),
        ServerRole::ReadOnly => Some("takes no writes, as a replica or a standby reader does"),
        ServerRole::NotKnown => Some("does not say whether it is a replica"),
    }
}
