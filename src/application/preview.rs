//! A run that only looks: the same engine, and a cache that is asked instead of written.

use std::time::Duration;

use super::ports::{Cache, Checked, Mode, Room, WriteOutcome, Written};
use crate::domain::entry::{Entry, EntryBatch, Value};
use crate::domain::failure::FailureKind;
use crate::domain::key::{KeyTemplate, printable};
use crate::domain::report::{Report, Seen, Status, StrategyReport};
use crate::domain::standing::{Class, Held, Kind, Standing};
use crate::domain::strategy::Shape;
use crate::domain::ttl::Ttl;

/// Keys shown of a strategy.
const SAMPLE: usize = 3;

/// Keys kept to measure what one costs.
const MEASURED: usize = 64;

/// How a run looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// Equal keys with less time left are [`Class::Expiring`]; `None`: relative to the time to live.
    pub expiring_within: Option<Duration>,
    /// Without values nothing can be compared, and the database reads less.
    pub values: bool,
    /// Look at so many keys of each strategy only, chosen with this seed.
    pub sample: Option<(usize, u64)>,
    /// Search the cache for keys that have no row any more.
    pub orphans: bool,
    /// Templates of strategies that this run is not about: their keys are no orphans of its own.
    pub others: Vec<KeyTemplate>,
}

impl Look {
    /// At everything, with nothing beside the comparison.
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

/// What a run would need of the cache's memory, and what of it fits.
#[derive(Clone, Debug)]
pub struct MemoryPlan {
    pub room: Room,
    /// Bytes that each strategy would add, in the order of the run: at least, where the cost of a
    /// key is not known.
    pub needs: Vec<u64>,
    /// Whether every key was looked at.
    pub is_whole: bool,
}

impl MemoryPlan {
    pub fn new(report: &Report, room: Room) -> Self {
        let per_key = room.overhead.as_ref().map_or(0.0, |cost| cost.per_key);
        let need = |strategy: &StrategyReport| {
            let seen = &strategy.seen;
            seen.growth + (per_key * seen.classes.missing as f64) as u64
        };
        Self {
            needs: report.strategies.iter().map(need).collect(),
            room,
            is_whole: report
                .strategies
                .iter()
                .all(|s| s.status == Status::Completed && s.seen.not_known == 0),
        }
    }

    pub fn needed(&self) -> u64 {
        self.needs.iter().sum()
    }

    /// Bytes that are free; `None`: there is no limit, or it is not known.
    pub fn free(&self) -> Option<u64> {
        match (&self.room.max, &self.room.used) {
            (Ok(Some(max)), Ok(used)) => Some(max.saturating_sub(*used)),
            _ => None,
        }
    }

    /// How many strategies fit, from the first on; `None` where that is not known.
    pub fn fitting(&self) -> Option<usize> {
        if matches!(self.room.max, Ok(None)) {
            return self.is_whole.then_some(self.needs.len());
        }
        // Beyond its limit the cache refuses or evicts even for what is there already.
        if let (Ok(Some(max)), Ok(used)) = (&self.room.max, &self.room.used)
            && used > max
        {
            return Some(0);
        }
        let free = self.free()?;
        let mut sum = 0;
        let fits = self.needs.iter().take_while(|need| {
            sum += **need;
            sum <= free
        });
        let fitting = fits.count();
        // What is needed at least may still be too little.
        let is_known = self.is_whole && self.room.overhead.is_ok();
        (fitting < self.needs.len() || is_known).then_some(fitting)
    }
}

/// Asks what stands at a batch's keys. A cache that will not say costs the comparison, not the run.
pub async fn look(cache: Option<&dyn Cache>, batch: &EntryBatch, shape: Shape) -> Written {
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

impl Seen {
    /// Counts a key that was looked at; returns its class.
    pub(super) fn count(
        &mut self,
        entry: Entry<'_>,
        standing: &Standing,
        shape: Shape,
        ttl: &Ttl,
        look: &Look,
        mode: Mode,
    ) -> Option<Class> {
        if self.sample.len() < SAMPLE {
            self.sample.push(printable(entry.key));
        }
        let within = look.expiring_within;
        let soon = within.unwrap_or_else(|| ttl.expiring(entry.key));
        let class = standing.class(&Kind::of(shape), soon);
        if let Standing::Unknown(why) = standing {
            self.not_known += 1;
            self.why_not_known.get_or_insert_with(|| why.clone());
        }
        let class = class?;
        self.classes.count(class);
        if let Standing::Held(held) = standing {
            if self.present.len() < MEASURED {
                self.present.push(entry.key.to_vec());
            }
            if matches!(class, Class::Expiring | Class::Identical) && outlives(held, ttl.base) {
                self.ttl_outside += 1;
            }
            let half = ttl.base / 2;
            if class == Class::Expiring && held.ttl.is_some_and(|left| left < half) {
                self.worn += 1;
            }
        }
        match (class, standing) {
            (Class::Missing, _) => self.growth += entry.bytes(),
            (Class::Different, Standing::Held(held)) if mode == Mode::Refresh => {
                let now = held.bytes.unwrap_or_default();
                self.growth += value_bytes(entry).saturating_sub(now);
            }
            // What stands there is of a size that only reading it would tell.
            (Class::WrongType, _) if mode == Mode::Refresh => self.growth += value_bytes(entry),
            _ => {}
        }
        Some(class)
    }
}

/// Whether a key lives longer than its definition says. A second for the clocks.
fn outlives(held: &Held, ttl: Duration) -> bool {
    held.ttl
        .is_none_or(|left| left > ttl + Duration::from_secs(1))
}

fn value_bytes(entry: Entry<'_>) -> u64 {
    match entry.value {
        Value::Text(text) => text.len() as u64,
        Value::Hash(_) => entry.bytes() - entry.key.len() as u64,
    }
}
