//! One strategy of a run.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::cause::Cause;
use crate::domain::changes::ReadHow;
use crate::domain::counts::{Counts, millis};
use crate::domain::entry::KeyError;
use crate::domain::expected::{Expected, Size};
use crate::domain::failure::FailureKind;
use crate::domain::protection::Protection;
use crate::domain::report::{Stage, Status, StrategyReport};
use crate::domain::standing::Classes;
use crate::domain::strategy::{DEFAULT_TTL, StrategyId, StrategySpec};
use crate::domain::ttl::NEVER;

/// What a dry run found in the cache at a strategy's keys.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// Keys that would be written.
    pub planned: u64,
    #[serde(flatten)]
    pub classes: Classes,
}

/// One strategy of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct StrategyRecord {
    pub id: String,
    pub context: String,
    pub name: String,
    pub priority: i32,
    #[serde(rename = "ttl_seconds", with = "in_seconds")]
    #[schema(value_type = Option<f64>)]
    pub ttl: Duration,
    /// `completed`, `failed` or `cancelled`; `waiting` or `running` while the run runs.
    #[schema(value_type = String, example = "completed")]
    pub status: Stage,
    #[serde(flatten)]
    pub size: Size,
    /// Keys that were read.
    pub total: u64,
    #[serde(flatten)]
    pub counts: Counts,
    /// Whether all that was written was read again, so that none of it is stale; null: not known yet,
    /// or nothing is written.
    #[schema(required = true)]
    pub protected: Option<bool>,
    /// `second`: of two changes within a second the later one may not have been seen, as `_version`
    /// has whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "second")]
    pub protected_to: Option<String>,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unprotected_because: Option<String>,
    /// The definition acknowledges it: `unprotected = "ok"`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unprotected_ok: bool,
    /// The share of `expected` that is warm: `warmed`, and of the skipped those that are there
    /// already. What has no data or is left out (`absent`, `withdrawn`) is no part of it. Null of
    /// nothing, of a strategy that failed, and where `expected` is not known.
    #[schema(required = true)]
    pub success_rate: Option<f64>,
    pub elapsed_ms: u64,
    /// How it was read, where the run was to read only what changed: `changed` (the changed rows),
    /// `keys` (all keys, and the changed rows) or `full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "changed")]
    pub read: Option<ReadHow>,
    /// Why everything was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_why: Option<String>,
    /// Of the warmed keys those that had not changed and whose TTL was refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<u64>,
    /// Keys that were removed, as their rows have left the selection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// Of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// Why it failed.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The class of that error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "query")]
    pub error_kind: Option<FailureKind>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The first keys that failed or are unknown.
    #[schema(value_type = Vec<Object>)]
    pub errors: Vec<KeyError>,
    /// The same of all keys, by cause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Keys asked for by name that have no row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_found: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The protection of versions with whole seconds.
const SECOND: &str = "second";

impl StrategyRecord {
    fn new(id: &StrategyId, priority: i32, ttl: Duration, status: Stage) -> Self {
        Self {
            id: id.to_string(),
            context: id.context.clone(),
            name: id.name.clone(),
            priority,
            ttl,
            status,
            ..Self::default()
        }
    }

    /// Whether it is of all strategies of a run together.
    pub fn is_total(&self) -> bool {
        self.id.is_empty()
    }

    /// Of a strategy that has not started.
    pub fn waiting(spec: &StrategySpec) -> Self {
        let ttl = spec.ttl.unwrap_or(DEFAULT_TTL);
        Self::new(&spec.id, spec.priority, ttl, Stage::Waiting)
    }

    /// All its keys are warm.
    pub fn is_complete(&self) -> bool {
        self.status == Stage::Completed && self.counts.wrong() == 0
    }

    /// Says that it begins, and how many keys it has.
    pub fn start(&mut self, expected: Option<Expected>) {
        self.status = Stage::Running;
        self.size = expected.into();
    }

    /// Takes its counts while it runs.
    pub fn count(&mut self, counts: &Counts) {
        let expected = self.size.known().and_then(|e| e.beyond(counts.total()));
        self.size = expected.into();
        self.total = counts.total();
        self.success_rate = counts.success_rate(expected);
        self.elapsed_ms = millis(counts.elapsed);
        self.counts = *counts;
    }
}

impl From<&StrategyReport> for StrategyRecord {
    fn from(report: &StrategyReport) -> Self {
        let (counts, planned) = (report.stats, report.stats.planned);
        let changed = report.changed.as_ref();
        let failure = match &report.status {
            Status::Failed(failure) => Some(failure),
            Status::Completed | Status::Cancelled => None,
        };
        let protection = report.protection.as_ref();
        Self {
            size: report.expected().into(),
            total: counts.total(),
            counts,
            protected: protection.map(|p| p.is_protected() && counts.unverified == 0),
            protected_to: (protection == Some(&Protection::ToTheSecond)).then(|| SECOND.to_owned()),
            unprotected_because: protection.and_then(Protection::why_not).map(str::to_owned),
            unprotected_ok: report.unprotected_ok
                && protection.is_some_and(Protection::is_by_definition),
            success_rate: report.success_rate(),
            elapsed_ms: millis(counts.elapsed),
            read: changed.map(|changed| changed.read),
            read_why: changed.and_then(|changed| changed.why.clone()),
            unchanged: changed.map(|changed| changed.unchanged),
            removed: changed.map(|changed| changed.removed),
            found: (planned > 0).then_some(Found { planned, classes: report.seen.classes }),
            error: failure.map(ToString::to_string),
            error_kind: failure.map(|failure| failure.kind),
            hint: failure.and_then(|failure| failure.hint.clone()),
            errors: report.errors.clone(),
            causes: report.causes.clone(),
            not_found: report.not_found.clone(),
            warnings: report.warnings.clone(),
            ..Self::new(&report.id, report.priority, report.ttl, report.status.stage())
        }
    }
}

/// A TTL in seconds; `None`: the key never expires.
pub fn ttl_seconds(ttl: Duration) -> Option<serde_json::Number> {
    (ttl != NEVER).then(|| whole_seconds(ttl))
}

/// Without a fraction where there is none.
pub fn whole_seconds(ttl: Duration) -> serde_json::Number {
    let fraction =
        (ttl.subsec_nanos() > 0).then(|| serde_json::Number::from_f64(ttl.as_secs_f64()));
    fraction.flatten().unwrap_or_else(|| ttl.as_secs().into())
}

/// A TTL in seconds.
mod in_seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::application::record::strategy::ttl_seconds;
    use crate::domain::ttl::NEVER;

    pub(crate) fn serialize<S: Serializer>(ttl: &Duration, to: S) -> Result<S::Ok, S::Error> {
        ttl_seconds(*ttl).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        match Option::<f64>::deserialize(from)? {
            Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom),
            None => Ok(NEVER),
        }
    }
}
