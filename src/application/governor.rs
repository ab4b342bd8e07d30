//! `--gentle`: watches how the servers are while a run writes, and lets it write as fast as they
//! bear. Slower at once by a share where one is worse off, faster by steps while all is well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::pace::{Governed, Pace};
use super::ports::{Cache, RowSource, SourceVitals};
use crate::domain::report::Limiter;

/// Between two pings of the cache, and between two looks at the rest.
const PING_EVERY: Duration = Duration::from_millis(25);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Pings that the level at the start is measured by, and looks at the database.
const FIRST_PINGS: usize = 8;
const FIRST_LOOKS: usize = 4;

/// So many pings in a row are judged by the one in the middle: one that is late says nothing.
const WINDOW: usize = 5;

/// After a change its effect is waited for.
const SETTLE: Duration = Duration::from_millis(200);

/// Keys a second: what a run begins with, and what it may always write.
const FIRST_RATE: f64 = 20_000.0;
pub(super) const LOWEST_RATE: f64 = 100.0;

/// What is left where somebody waits longer than the limit, and longer than twice the limit.
const SLOWER: f64 = 0.7;
const MUCH_SLOWER: f64 = 0.5;

/// Steps from nothing to the rate at which it first was too much.
const STEPS: f64 = 20.0;

/// Below this share of the limit it may be more.
const CALM: f64 = 0.8;

/// A limit that holds nothing back for so many pings is none.
const IDLE: u32 = 8;

/// What a gentle run watches for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GentleLimits {
    /// How long the shop's clients may wait; `None`: a little longer than before the run.
    pub cache_latency: Option<Duration>,
    pub db_latency: Option<Duration>,
}

/// What is still well.
#[derive(Debug, Default)]
struct Limits {
    cache_latency: Option<Duration>,
    /// Keys a second.
    evictions: Option<f64>,
    db_latency: Option<Duration>,
    sessions: Option<f64>,
    lag: Option<Duration>,
}

/// How much of a limit is used: more than 1.0 is too much.
#[derive(Clone, Debug, PartialEq)]
struct Strain {
    of_limit: f64,
    by: Limiter,
    figure: String,
}

/// Watches over the runs of a coordinator.
pub(super) struct Governor {
    pub pace: Pace,
    pub cache: Arc<dyn Cache>,
    pub source: Option<Arc<dyn RowSource>>,
    pub limits: GentleLimits,
}

impl Governor {
    /// Governs while the run is to be gentle.
    pub async fn run(self) {
        loop {
            self.pace.until_gentle(true).await;
            tokio::select! {
                () = self.govern() => {}
                () = self.pace.until_gentle(false) => {}
            }
            self.pace.govern(None);
        }
    }

    /// Never ends where there is something to watch.
    async fn govern(&self) {
        let limits = self.measure_limits().await;
        if limits.cache_latency.is_none() && limits.db_latency.is_none() {
            self.pace.govern(None);
            self.pace.nothing_to_watch();
            return self.pace.until_gentle(false).await;
        }
        let mut control = Control::new(Instant::now());
        let mut pings: Vec<Duration> = Vec::with_capacity(WINDOW);
        let mut looked = Instant::now();
        let mut evicted = None;
        let mut rest: Option<Strain> = None;
        loop {
            sleep(PING_EVERY).await;
            if limits.cache_latency.is_some()
                && let Some(ping) = self.cache.latency().await
            {
                pings.push(ping);
            }
            if looked.elapsed() >= LOOK_EVERY {
                let now = self.evicted().await;
                let evictions = rate(evicted, now);
                evicted = now;
                let vitals = match limits.db_latency {
                    Some(_) => self.vitals().await,
                    None => None,
                };
                rest = limits.strain(evictions, vitals);
                looked = Instant::now();
            }
            let cache = limits.of_cache(&pings);
            if pings.len() >= WINDOW {
                pings.remove(0);
            }
            let strain = worse(cache, rest.clone());
            let (present, held) = self.pace.measured();
            let slower = control.hear(strain.as_ref(), present, held, Instant::now());
            if slower {
                // What was measured before says nothing of what comes after.
                pings.clear();
                rest = None;
            }
            self.pace.govern(control.governed());
        }
    }

    /// What is well where it was not said: somewhat more than now, while nothing is written.
    async fn measure_limits(&self) -> Limits {
        let pings = async {
            let mut pings = Vec::new();
            for _ in 0..FIRST_PINGS {
                let Some(ping) = self.cache.latency().await else {
                    break;
                };
                pings.push(ping);
                sleep(PING_EVERY / 4).await;
            }
            median(&mut pings)
        };
        let looks = async {
            let mut looks = Vec::new();
            for _ in 0..FIRST_LOOKS {
                let Some(vitals) = self.vitals().await else {
                    break;
                };
                looks.push(vitals);
            }
            looks
        };
        let before = self.evicted().await;
        let (ping, looks) = tokio::join!(pings, looks);
        let evictions = rate(before, self.evicted().await);
        let db_latency = median(&mut looks.iter().map(|look| look.latency).collect());
        let last = looks.last();
        let of_level = |level: f64| (level * 2.0).max(level + 100.0);
        Limits {
            cache_latency: ping.map(|ping| {
                let level = (ping * 2).max(ping + Duration::from_millis(1));
                self.limits.cache_latency.unwrap_or(level)
            }),
            evictions: evictions.map(of_level),
            db_latency: db_latency.map(|latency| {
                let level = (latency * 3).max(latency + Duration::from_millis(10));
                self.limits.db_latency.unwrap_or(level)
            }),
            // Our own are among them later.
            sessions: last
                .and_then(|look| look.active)
                .map(|active| (active as f64 * 2.0).max(active as f64 + 8.0)),
            lag: last
                .and_then(|look| look.lag)
                .map(|lag| (lag * 2).max(lag + Duration::from_secs(5))),
        }
    }

    async fn evicted(&self) -> Option<(u64, Instant)> {
        let evicted = self.cache.evicted().await.ok()?;
        Some((evicted, Instant::now()))
    }

    async fn vitals(&self) -> Option<SourceVitals> {
        self.source.as_ref()?.vitals().await
    }
}

/// How many a second.
fn rate(before: Option<(u64, Instant)>, now: Option<(u64, Instant)>) -> Option<f64> {
    let ((before, then), (count, now)) = (before?, now?);
    let elapsed = now.duration_since(then).as_secs_f64().max(0.001);
    Some(count.saturating_sub(before) as f64 / elapsed)
}

fn median(all: &mut Vec<Duration>) -> Option<Duration> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

fn worse(a: Option<Strain>, b: Option<Strain>) -> Option<Strain> {
    let both = [a, b].into_iter().flatten();
    both.max_by(|a, b| a.of_limit.total_cmp(&b.of_limit))
}

impl Limits {
    /// The latest pings against their limit; `None`: too few to say.
    fn of_cache(&self, pings: &[Duration]) -> Option<Strain> {
        let mut last = pings.get(pings.len().checked_sub(WINDOW)?..)?.to_vec();
        strain(
            Limiter::CacheLatency,
            median(&mut last)?,
            self.cache_latency?,
        )
    }

    /// The rest against their limits.
    fn strain(&self, evictions: Option<f64>, source: Option<SourceVitals>) -> Option<Strain> {
        let latency = |by, now: Option<Duration>, limit: Option<Duration>| strain(by, now?, limit?);
        let count = |by, now: Option<f64>, limit: Option<f64>, unit: &str| {
            Some(Strain {
                of_limit: now? / limit?,
                by,
                figure: format!("{:.0}{unit}", now?),
            })
        };
        let active = source.and_then(|s| s.active).map(|n| n as f64);
        let all = [
            count(Limiter::Evictions, evictions, self.evictions, "/s"),
            latency(
                Limiter::DatabaseLatency,
                source.map(|s| s.latency),
                self.db_latency,
            ),
            count(Limiter::DatabaseSessions, active, self.sessions, ""),
            latency(Limiter::ReplicaLag, source.and_then(|s| s.lag), self.lag),
        ];
        let all = all.into_iter().flatten();
        all.max_by(|a, b| a.of_limit.total_cmp(&b.of_limit))
    }
}

fn strain(by: Limiter, now: Duration, limit: Duration) -> Option<Strain> {
    Some(Strain {
        of_limit: now.as_secs_f64() / limit.as_secs_f64().max(1e-9),
        by,
        figure: format!("{:.1} ms", now.as_secs_f64() * 1000.0),
    })
}

/// Additive increase, multiplicative decrease.
#[derive(Debug)]
struct Control {
    /// Keys a second; `None`: no limit.
    allowed: Option<f64>,
    /// What it was too much for.
    why: (Limiter, String),
    /// Keys a second by which it goes up; until it was too much once it doubles.
    step: Option<f64>,
    changed: Instant,
    /// For how many pings in a row the limit has held nothing back.
    idle: u32,
}

impl Control {
    fn new(now: Instant) -> Self {
        Self {
            allowed: Some(FIRST_RATE),
            why: (Limiter::Start, String::new()),
            step: None,
            changed: now,
            idle: 0,
        }
    }

    /// Takes in how strained the servers are. `present`: keys a second that leave; `held`: whether
    /// the limit has held any back since it was asked last. Whether it is slower from now on.
    fn hear(&mut self, strain: Option<&Strain>, present: f64, held: bool, now: Instant) -> bool {
        let settled = now.duration_since(self.changed) >= SETTLE;
        match (strain, self.allowed) {
            (Some(strain), _) if strain.of_limit > 1.0 => {
                if !settled && self.step.is_some() {
                    return false;
                }
                let share = if strain.of_limit > 2.0 {
                    MUCH_SLOWER
                } else {
                    SLOWER
                };
                let from = self.allowed.map_or(present, |allowed| allowed.min(present));
                self.step.get_or_insert((from / STEPS).max(LOWEST_RATE));
                self.allowed = Some((from * share).max(LOWEST_RATE));
                self.why = (strain.by, strain.figure.clone());
                self.changed = now;
                self.idle = 0;
                return true;
            }
            (_, None) => {}
            (_, Some(_)) if !held => {
                self.idle += 1;
                if self.idle >= IDLE {
                    self.allowed = None;
                }
            }
            (Some(strain), Some(_)) if strain.of_limit > CALM => self.idle = 0,
            (_, Some(allowed)) => {
                self.idle = 0;
                match self.step {
                    None => self.allowed = Some(allowed * 2.0),
                    Some(step) if settled => {
                        self.allowed = Some(allowed + step);
                        self.changed = now;
                    }
                    Some(_) => {}
                }
            }
        }
        false
    }

    fn governed(&self) -> Option<Governed> {
        let (by, figure) = &self.why;
        self.allowed.map(|rate| Governed {
            rate,
            by: *by,
            figure: figure.clone(),
        })
    }
}
