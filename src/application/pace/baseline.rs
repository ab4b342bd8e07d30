//! Measures the servers while the run writes very little.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::limits::GentleLimits;
use crate::application::ports::{Cache, RowSource, SourceVitals};

const PINGS: usize = 8;
const PING_EVERY: Duration = Duration::from_millis(5);
const VITALS: usize = 4;

/// Servers that do not answer are probed again, for at most this long.
const MAX_TIME: Duration = Duration::from_secs(2);
const RETRY_PAUSE: Duration = Duration::from_millis(25);

#[derive(Default)]
pub(super) struct Baseline {
    pub ping: Option<Duration>,
    pub vitals: Vec<SourceVitals>,
    /// Keys per second.
    pub evictions: Option<f64>,
    pub evicted: Option<Evicted>,
}

/// The cache's eviction counter, and when it was read.
pub(super) type Evicted = (u64, Instant);

/// The servers that a gentle run watches.
pub(super) struct Servers {
    pub cache: Arc<dyn Cache>,
    /// A file has no other clients, so it is not watched.
    pub database: Option<Arc<dyn RowSource>>,
}

impl Servers {
    pub(super) fn new(cache: Arc<dyn Cache>, source: Option<Arc<dyn RowSource>>) -> Self {
        Self { cache, database: source.filter(|source| !source.dialect().is_file()) }
    }

    pub(super) async fn evicted(&self) -> Option<Evicted> {
        let evicted = self.cache.evicted().await.ok()?;
        Some((evicted, Instant::now()))
    }

    pub(super) async fn vitals(&self) -> Option<SourceVitals> {
        self.database.as_ref()?.vitals().await
    }

    pub(super) async fn measure(&self) -> Baseline {
        let before = self.evicted().await;
        let (ping, vitals) = tokio::join!(self.first_pings(), self.first_vitals());
        let evicted = self.evicted().await;
        Baseline { ping, vitals, evictions: eviction_rate(before, evicted), evicted }
    }

    async fn first_pings(&self) -> Option<Duration> {
        let (begun, mut pings) = (Instant::now(), Vec::new());
        for _ in 0..PINGS {
            let ping = self.cache.latency().await;
            pings.extend(ping);
            if begun.elapsed() >= MAX_TIME {
                break;
            }
            sleep(ping.map_or(RETRY_PAUSE, |_| PING_EVERY)).await;
        }
        median(&mut pings)
    }

    async fn first_vitals(&self) -> Vec<SourceVitals> {
        let (begun, mut all) = (Instant::now(), Vec::new());
        for _ in 0..self.database.as_ref().map_or(0, |_| VITALS) {
            let vitals = self.vitals().await;
            all.extend(vitals);
            if begun.elapsed() >= MAX_TIME {
                break;
            }
            if vitals.is_none() {
                sleep(RETRY_PAUSE).await;
            }
        }
        all
    }

    /// Warnings about servers that should be watched and cannot be.
    pub(super) fn unwatched(&self, baseline: &Baseline, given: &GentleLimits) -> Vec<String> {
        let cache = baseline.ping.is_none();
        let database = baseline.vitals.is_empty();
        if cache && database {
            let why = "--gentle: neither the database nor the cache can be watched, so the run cannot adapt to them";
            return vec![why.to_owned()];
        }
        let not = |flag: &str, side: &str| {
            format!("{flag}: the {side} cannot be probed, so it is not watched until it answers")
        };
        let mut all = Vec::new();
        if cache && given.cache_latency.is_some() {
            all.push(not("--max-cache-latency", "cache"));
        }
        if database && given.db_latency.is_some() {
            all.push(not("--max-db-latency", "database"));
        } else if database && self.database.is_some() {
            let what = "--gentle: the database cannot be probed, so it is not watched";
            all.push(what.to_owned());
        }
        all
    }
}

/// Keys per second.
pub(super) fn eviction_rate(before: Option<Evicted>, now: Option<Evicted>) -> Option<f64> {
    let ((before, then), (count, now)) = (before?, now?);
    let elapsed = now.duration_since(then).as_secs_f64().max(0.001);
    Some(count.saturating_sub(before) as f64 / elapsed)
}

pub(super) fn median(all: &mut [Duration]) -> Option<Duration> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}
