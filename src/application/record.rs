//! What a run leaves for the next one: how many keys each strategy had when it was last complete.

use std::collections::BTreeMap;

use super::ports::{Cache, CachedValue};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Report, Status};

/// Keys of the tool's own begin with this, behind the operator's prefix.
pub const OWN: &str = "shopwarm:";

/// The hash of the last complete runs: strategy id to number of keys.
fn key(prefix: &str) -> String {
    format!("{prefix}{OWN}last-complete")
}

/// How many keys each strategy had when it was last complete.
///
/// # Errors
/// The cache's.
pub async fn last_complete(
    cache: &dyn Cache,
    prefix: &str,
) -> Result<BTreeMap<String, u64>, Failure> {
    let cached = cache.read(key(prefix).as_bytes()).await?;
    let fields = match cached.map(|cached| cached.value) {
        Some(CachedValue::Hash(fields)) => fields,
        None => return Ok(BTreeMap::new()),
        Some(_) => {
            let key = key(prefix);
            let what = format!("{key} is no record of runs");
            let why = format!("{key} holds something else than the tool's own hash");
            return Err(Failure::new(FailureKind::CacheRefused, what, why)
                .hint("delete that key; the next complete run writes it again"));
        }
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
    let counts = fields
        .into_iter()
        .filter_map(|(id, keys)| Some((text(id)?, text(keys)?.parse().ok()?)));
    Ok(counts.collect())
}

/// Records the strategies of a run that were complete.
///
/// # Errors
/// The cache's.
pub async fn remember(cache: &dyn Cache, prefix: &str, report: &Report) -> Result<(), Failure> {
    let complete = report.strategies.iter().filter(|strategy| {
        let stats = &strategy.stats;
        strategy.status == Status::Completed && stats.failed + stats.unknown == 0
    });
    let fields: Vec<(String, String)> = complete
        .map(|strategy| (strategy.id.to_string(), strategy.stats.total().to_string()))
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    cache.remember(key(prefix).as_bytes(), &fields).await
}
