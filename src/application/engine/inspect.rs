//! A run that only inspects: the same engine, and a cache that is asked instead of written.

use std::time::Duration;

use crate::application::ports::{Cache, Checked, WriteOutcome, Written};
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::failure::FailureKind;
use crate::domain::key::{KeyTemplate, printable};
use crate::domain::report::Seen;
use crate::domain::standing::{Class, Held, Kind, Standing};
use crate::domain::strategy::Shape;
use crate::domain::ttl::Ttl;

/// Keys shown of a strategy.
const SAMPLE: usize = 3;

/// What a run that only inspects is to compare.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Equal keys with less time left are [`Class::Expiring`]; `None`: relative to the time to live.
    pub expiring_within: Option<Duration>,
    /// Without values nothing can be compared, and the database reads less.
    pub values: bool,
    /// Inspect at most this many keys per strategy, chosen with this seed.
    pub sample: Option<(usize, u64)>,
    /// Search the cache for keys that have no row any more.
    pub orphans: bool,
    /// Templates of strategies that this run is not about: their keys are no orphans of its own.
    pub others: Vec<KeyTemplate>,
}

impl Inspection {
    /// Everything, and nothing besides the comparison.
    pub fn new(expiring_within: Option<Duration>) -> Self {
        Self {
            expiring_within,
            values: true,
            sample: None,
            orphans: false,
            others: Vec::new(),
        }
    }
}

/// Asks what is at a batch's keys. A cache that will not say costs the comparison, not the run.
pub async fn inspect(cache: Option<&dyn Cache>, batch: &EntryBatch, shape: Shape) -> Written {
    let all = |standing: Standing| Written {
        outcomes: vec![WriteOutcome::Seen(standing); batch.len()],
        fatal: None,
        checked: Checked::default(),
    };
    let Some(cache) = cache else {
        return all(Standing::NotAsked);
    };
    match cache.inspect(batch, shape).await {
        Ok(standings) => Written {
            outcomes: standings.into_iter().map(WriteOutcome::Seen).collect(),
            fatal: None,
            checked: Checked::default(),
        },
        Err(failure) if failure.kind == FailureKind::CacheDenied => {
            all(Standing::Unknown(failure.why))
        }
        Err(failure) => Written {
            fatal: Some(failure.clone()),
            ..Written::unknown(batch.len(), &failure.why)
        },
    }
}

/// Counts a key that was inspected; returns its class.
pub fn count(
    seen: &mut Seen,
    entry: Entry<'_>,
    standing: &Standing,
    shape: Shape,
    ttl: &Ttl,
    inspection: &Inspection,
) -> Option<Class> {
    if seen.sample.len() < SAMPLE {
        seen.sample.push(printable(entry.key));
    }
    let within = inspection.expiring_within;
    let soon = within.unwrap_or_else(|| ttl.expiring(entry.key));
    let class = standing.class(&Kind::of(shape), soon);
    if let Standing::Unknown(why) = standing {
        seen.not_known += 1;
        seen.why_not_known.get_or_insert_with(|| why.clone());
    }
    let class = class?;
    seen.classes.count(class);
    if let Standing::Held(held) = standing {
        if matches!(class, Class::Expiring | Class::Identical) && outlives(held, ttl.base) {
            seen.ttl_outside += 1;
        }
        let half = ttl.base / 2;
        if class == Class::Expiring && held.ttl.is_some_and(|left| left < half) {
            seen.worn += 1;
        }
    }
    Some(class)
}

/// Whether a key lives longer than its definition says. A second for the clocks.
fn outlives(held: &Held, ttl: Duration) -> bool {
    held.ttl
        .is_none_or(|left| left > ttl + Duration::from_secs(1))
}
