//! The history in the cache: the last runs, and the last complete run of each strategy, which later
//! runs do not push out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::application::ports::{Cache, CachedValue};
use crate::application::record::RunRecord;
use crate::domain::changes::Watermark;
use crate::domain::entry::Collection;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::namespace;
use crate::domain::report::Report;

/// Runs in the history.
const MAX_RUNS: usize = 200;

/// The history expires if nothing runs for this long.
const RUNS_TTL: Duration = Duration::from_hours(30 * 24);

/// A job's time further ahead than this came from a wrong clock.
const WRONG_CLOCK: Duration = Duration::from_hours(24);

/// Names and values of a hash.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A strategy's last complete run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LastComplete {
    /// Keys that it had.
    pub keys: u64,
    pub run_id: String,
    /// When that run began; RFC 3339, in UTC.
    pub at: String,
    /// Where a later run with `--changed` can start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub watermark: Option<Watermark>,
}

impl LastComplete {
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        // Earlier versions kept the number alone.
        let keys_alone =
            |keys| Self { keys, run_id: String::new(), at: String::new(), watermark: None };
        let number = || text.parse().ok().map(keys_alone);
        number().or_else(|| serde_json::from_str(text).ok())
    }
}

/// The last complete run of each strategy, by id.
///
/// # Errors
/// The cache's.
pub async fn last_complete(
    cache: &dyn Cache,
    prefix: &str,
) -> Result<BTreeMap<String, LastComplete>, Failure> {
    let key = namespace::last_complete(prefix);
    let known = own_hash(cache, &key, "is not a record of runs")
        .await?
        .into_iter()
        .filter_map(|(id, last)| Some((String::from_utf8(id).ok()?, LastComplete::parse(&last)?)));
    Ok(known.collect())
}

/// The fields of a hash that the tool keeps in the cache.
///
/// # Errors
/// The cache's, or the key holds something else.
pub async fn own_hash(cache: &dyn Cache, key: &str, lack: &str) -> Result<Fields, Failure> {
    match cache.read(key.as_bytes()).await?.map(|cached| cached.value) {
        Some(CachedValue::Collection(Collection::Hash, fields)) => Ok(fields),
        None => Ok(Fields::new()),
        Some(_) => {
            let what = format!("{key} {lack}");
            let why = format!("{key} holds something other than the tool's own hash");
            Err(Failure::new(FailureKind::CacheRefused, what, why)
                .hint("delete that key; the next complete run writes it again"))
        }
    }
}

/// The last runs, newest first. One that this version cannot read is left out.
///
/// # Errors
/// The cache's.
pub async fn runs(cache: &dyn Cache, prefix: &str) -> Result<Vec<RunRecord>, Failure> {
    let key = namespace::runs(prefix);
    let items = cache.meta().range(key.as_bytes(), 0, MAX_RUNS).await?;
    let records = items.iter().filter_map(|item| RunRecord::parse(item));
    Ok(records.collect())
}

/// The last time each job has run for, without times that a wrong clock has left: they would keep
/// the job from running.
///
/// # Errors
/// The cache's.
pub async fn occurrences(
    cache: &dyn Cache,
    prefix: &str,
) -> Result<BTreeMap<String, Timestamp>, Failure> {
    let key = namespace::schedule(prefix);
    let fields = match cache.read(key.as_bytes()).await?.map(|cached| cached.value) {
        Some(CachedValue::Collection(Collection::Hash, fields)) => fields,
        _ => return Ok(BTreeMap::new()),
    };
    let known = fields.into_iter().filter_map(|(job, at)| {
        let at: Timestamp = String::from_utf8(at).ok()?.parse().ok()?;
        let is_wrong = at.duration_since(Timestamp::now()) > WRONG_CLOCK.try_into().ok()?;
        (!is_wrong).then_some((String::from_utf8(job).ok()?, at))
    });
    Ok(known.collect())
}

/// Takes a job's time, unless it or a later one was taken. The caller holds the job's lock.
///
/// # Errors
/// The cache's.
pub async fn take_occurrence(
    cache: &dyn Cache,
    prefix: &str,
    job: &str,
    at: Timestamp,
) -> Result<bool, Failure> {
    let known = occurrences(cache, prefix).await?;
    if known.get(job).is_some_and(|last| *last >= at) {
        return Ok(false);
    }
    let field = [(job.to_owned(), at.to_string())];
    let key = namespace::schedule(prefix);
    cache.meta().set_fields(key.as_bytes(), &field).await?;
    Ok(true)
}

/// Adds a run to the history.
///
/// # Errors
/// The cache's.
pub async fn push(cache: &dyn Cache, prefix: &str, record: &RunRecord) -> Result<(), Failure> {
    let item = serde_json::to_string(record).unwrap_or_default();
    let key = namespace::runs(prefix);
    cache.meta().prepend(key.as_bytes(), item.as_bytes(), MAX_RUNS, RUNS_TTL).await
}

/// Records the strategies of a run that were complete.
pub async fn remember(
    cache: &dyn Cache,
    prefix: &str,
    record: &RunRecord,
    report: &Report,
) -> Result<(), Failure> {
    let both = record.strategies.iter().zip(&report.strategies);
    let complete = both.filter(|(record, _)| record.is_complete());
    let fields: Vec<(String, String)> = complete
        .map(|(strategy, report)| {
            let last = LastComplete {
                keys: strategy.total,
                run_id: record.run_id.clone(),
                at: record.started_at.clone(),
                watermark: report.watermark.clone(),
            };
            let text = serde_json::to_string(&last).unwrap_or_default();
            (strategy.id.clone(), text)
        })
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    let key = namespace::last_complete(prefix);
    cache.meta().set_fields(key.as_bytes(), &fields).await
}
