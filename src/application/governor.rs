//! `--gentle`: watches how the servers are while a run writes, and lets it write as fast as they
//! bear. Slower at once by a share where one is worse off, faster by steps while all is well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::pace::{Governed, Pace};
use super::ports::{Cache, RowSource, SourceVitals};
use crate::domain::report::Limiter;

/// Between two pings of the cache, while the run begins and later, and between two looks at the rest.
const FIRST_PING_EVERY: Duration = Duration::from_millis(10);
const PING_EVERY: Duration = Duration::from_millis(25);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Pings that the level at the start is measured by, and looks at the database.
const FIRST_PINGS: usize = 8;
const FIRST_LOOKS: usize = 4;

/// The last pings are judged by the one in the middle: one that is late says nothing. There are so
/// many at most, and at least.
const WINDOW: usize = 5;
const FEWEST: usize = 3;

/// After a change its effect is waited for.
const SETTLE: Duration = Duration::from_millis(200);

/// Keys a second: what a run begins with, and what it may always write.
const FIRST_RATE: f64 = 50_000.0;
pub(super) const LOWEST_RATE: f64 = 100.0;

/// What is left where somebody waits longer than the limit, and longer than twice the limit.
const SLOWER: f64 = 0.7;
const MUCH_SLOWER: f64 = 0.5;

/// Steps from nothing to the most that has left lately, and what is left of that at each ping: a
/// tenth in a minute. Each step is longer than the one before, as long as all is well.
const STEPS: f64 = 20.0;
const LONGER: f64 = 1.25;
const FADING: f64 = 0.999;

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
            sleep(control.ping_every()).await;
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
                sleep(FIRST_PING_EVERY / 2).await;
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
        let mut latencies: Vec<_> = looks.iter().map(|look| look.latency).collect();
        let db_latency = median(&mut latencies);
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

fn median(all: &mut [Duration]) -> Option<Duration> {
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
        let last = pings.len().saturating_sub(WINDOW);
        let mut last = pings
            .get(last..)
            .filter(|last| last.len() >= FEWEST)?
            .to_vec();
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
    /// The most keys a second that have left lately. A server that stands still says little of what
    /// it bears otherwise.
    peak: f64,
    /// Keys a second by which it goes up next; it doubles until it was too much once.
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
            peak: 0.0,
            step: None,
            changed: now,
            idle: 0,
        }
    }

    /// Takes in how strained the servers are. `present`: keys a second that leave; `held`: whether
    /// the limit has held any back since it was asked last. Whether it is slower from now on.
    fn hear(&mut self, strain: Option<&Strain>, present: f64, held: bool, now: Instant) -> bool {
        let settled = now.duration_since(self.changed) >= SETTLE;
        self.peak = present.max(self.peak * FADING);
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
                let from = self
                    .allowed
                    .map_or(self.peak, |allowed| allowed.min(self.peak));
                self.step = Some((self.peak / STEPS).max(LOWEST_RATE));
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
            (Some(strain), Some(_)) if strain.of_limit > CALM => {
                self.idle = 0;
                // Fast enough, and no faster.
                if self.step.is_none() {
                    self.step = Some((self.peak / STEPS).max(LOWEST_RATE));
                    self.why = (strain.by, strain.figure.clone());
                }
            }
            (_, Some(allowed)) => {
                self.idle = 0;
                match self.step {
                    // Not before anybody has said that it is well.
                    None if strain.is_some() => self.allowed = Some(allowed * 2.0),
                    Some(step) if settled => {
                        self.allowed = Some(allowed + step);
                        self.step = Some(step * LONGER);
                        self.changed = now;
                    }
                    _ => {}
                }
            }
        }
        false
    }

    fn ping_every(&self) -> Duration {
        match self.step {
            None if self.allowed.is_some() => FIRST_PING_EVERY,
            _ => PING_EVERY,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A run on a server that bears so many keys a second, and could be written at so many.
    struct Shop {
        bears: f64,
        capacity: f64,
        control: Control,
        now: Instant,
        rates: Vec<f64>,
    }

    impl Shop {
        fn new(bears: f64, capacity: f64) -> Self {
            let now = Instant::now();
            Self {
                bears,
                capacity,
                control: Control::new(now),
                now,
                rates: Vec::new(),
            }
        }

        /// So many seconds; the rates meanwhile.
        fn run(&mut self, seconds: u32) -> &[f64] {
            self.rates.clear();
            for _ in 0..seconds * 40 {
                self.now += self.control.ping_every();
                let allowed = self.control.governed().map_or(f64::INFINITY, |g| g.rate);
                let present = allowed.min(self.capacity);
                let strain = Strain {
                    of_limit: present / self.bears,
                    by: Limiter::CacheLatency,
                    figure: "4.1 ms".to_owned(),
                };
                let held = allowed < self.capacity;
                self.control.hear(Some(&strain), present, held, self.now);
                self.rates.push(present);
            }
            &self.rates
        }
    }

    fn mean(rates: &[f64]) -> f64 {
        rates.iter().sum::<f64>() / rates.len() as f64
    }

    #[test]
    fn what_everybody_bears_is_no_limit_soon() {
        let mut shop = Shop::new(1e9, 300_000.0);
        let rates = shop.run(1);
        assert!(mean(rates) > 250_000.0, "{rates:?}");
        assert!(
            rates[10..].iter().all(|rate| *rate == 300_000.0),
            "{rates:?}"
        );
        assert_eq!(shop.control.governed(), None);
    }

    #[test]
    fn it_finds_what_the_servers_bear_and_stays_there() {
        let mut shop = Shop::new(60_000.0, 300_000.0);
        shop.run(3);
        let rates = shop.run(10);
        let (least, most) = rates
            .iter()
            .fold((f64::MAX, 0.0_f64), |(least, most), rate| {
                (least.min(*rate), most.max(*rate))
            });
        assert!(least > 30_000.0 && most < 70_000.0, "{least} to {most}");
        assert!(mean(rates) > 42_000.0, "{}", mean(rates));
        let by = shop.control.governed().map(|governed| governed.by);
        assert_eq!(by, Some(Limiter::CacheLatency));
    }

    #[test]
    fn it_slows_down_at_once_and_recovers_by_itself() {
        let mut shop = Shop::new(1e9, 300_000.0);
        shop.run(2);
        shop.bears = 1000.0;
        let rates = shop.run(4);
        assert!(rates[20] <= 150_000.0, "half a second later: {rates:?}");
        assert!(mean(&rates[120..]) < 2000.0, "{rates:?}");
        assert!(rates.iter().all(|rate| *rate >= LOWEST_RATE));
        shop.bears = 1e9;
        shop.run(8);
        assert_eq!(shop.control.governed(), None, "no limit any more");
    }

    #[test]
    fn one_late_ping_says_nothing() {
        let limits = Limits {
            cache_latency: Some(Duration::from_millis(2)),
            ..Limits::default()
        };
        let [fast, slow] = [1, 50].map(Duration::from_millis);
        let of = |pings: &[Duration]| limits.of_cache(pings).map(|strain| strain.of_limit);
        assert_eq!(of(&[slow; 2]), None, "too few");
        assert_eq!(of(&[fast, slow, fast, slow, fast]), Some(0.5));
        assert_eq!(of(&[fast, slow, slow, fast, slow]), Some(25.0));
        assert_eq!(
            of(&[slow, slow, slow, fast, fast, fast, fast, fast]),
            Some(0.5)
        );
    }

    #[test]
    fn the_worst_of_all_is_what_counts() {
        let limits = Limits {
            evictions: Some(100.0),
            db_latency: Some(Duration::from_millis(10)),
            sessions: Some(10.0),
            lag: Some(Duration::from_secs(5)),
            ..Limits::default()
        };
        let vitals = |latency, active, lag| {
            Some(SourceVitals {
                latency: Duration::from_millis(latency),
                active,
                lag,
            })
        };
        let worst = |evictions, vitals| {
            let strain = limits.strain(evictions, vitals);
            strain.map(|s| (s.by.name(), s.figure, s.of_limit > 1.0))
        };
        let is = |by, figure: &str, over| Some((by, figure.to_owned(), over));
        assert_eq!(worst(None, None), None);
        assert_eq!(worst(Some(250.0), None), is("evictions", "250/s", true));
        assert_eq!(
            worst(None, vitals(5, Some(4), None)),
            is("database latency", "5.0 ms", false)
        );
        assert_eq!(
            worst(None, vitals(5, Some(12), None)),
            is("database sessions", "12", true)
        );
        let behind = Some(Duration::from_secs(9));
        assert_eq!(
            worst(Some(50.0), vitals(5, Some(4), behind)),
            is("replica lag", "9000.0 ms", true)
        );
    }
}
