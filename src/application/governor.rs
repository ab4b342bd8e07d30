//! `--gentle`: watches how the servers are while a run writes, and lets it write as fast as they
//! bear. Slower at once by a share where one is worse off, faster by steps while all is well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use super::pace::{Governed, Measured, Pace};
use super::ports::{Cache, RowSource, SourceVitals};
use crate::domain::report::Limiter;

/// Between two pings of the cache, while the run begins and later, and between two looks at the rest.
const FIRST_PING_EVERY: Duration = Duration::from_millis(10);
const PING_EVERY: Duration = Duration::from_millis(25);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Pings that the level at the start is measured by, and looks at the database.
const FIRST_PINGS: usize = 8;
const FIRST_LOOKS: usize = 4;

/// Who does not answer is asked again, but not for longer than this.
const ASKED_FOR: Duration = Duration::from_secs(2);
const ASKED_AGAIN: Duration = Duration::from_millis(25);

/// No wait is longer than a second to us: so that it is too long, what is well must be less.
const LONGEST_LEVEL: Duration = Duration::from_millis(900);

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

/// Below this share of the limit it may be more. What was too much counts as this share until it
/// has been looked at again.
const CALM: f64 = 0.8;
const UNTIL_SEEN: f64 = 0.9;

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

/// What a side says of how it is.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    /// It never said anything.
    Nothing,
    /// It did, and does not any more.
    Silent,
    Says(Strain),
}

/// How the servers are while the run hardly writes.
#[derive(Default)]
struct Level {
    ping: Option<Duration>,
    looks: Vec<SourceVitals>,
    /// Keys a second.
    evictions: Option<f64>,
    evicted: Option<(u64, Instant)>,
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

    /// Never ends.
    async fn govern(&self) {
        let level = loop {
            let level = self.measure().await;
            self.pace.unwatched(self.unwatched(&level));
            if level.ping.is_some() || !level.looks.is_empty() {
                break level;
            }
            self.pace.govern(None);
            sleep(LOOK_EVERY).await;
        };
        let limits = Limits::of(&level, &self.limits, self.database().is_some());
        let rest = limits.rest(None, level.looks.last().copied(), !level.looks.is_empty());
        let (say, heard) = watch::channel(rest);
        tokio::select! {
            () = self.look(&limits, &level, say) => {}
            () = self.ping(&limits, &level, heard) => {}
        }
    }

    /// Asks the cache how it is, and sets the pace by all that is known.
    async fn ping(&self, limits: &Limits, level: &Level, mut heard: watch::Receiver<Word>) {
        let mut control = Control::new(Instant::now());
        let mut pings: Vec<Duration> = Vec::with_capacity(WINDOW);
        let mut spoke = level.ping.is_some();
        let mut rest = heard.borrow_and_update().clone();
        loop {
            sleep(control.ping_every()).await;
            if limits.cache_latency.is_some() {
                match self.cache.latency().await {
                    Some(ping) => pings.push(ping),
                    // Who comes back is another one.
                    None => pings.clear(),
                }
                spoke |= !pings.is_empty();
            }
            if heard.has_changed().unwrap_or(false) {
                rest = heard.borrow_and_update().clone();
            }
            let cache = match limits.of_cache(&pings) {
                Some(strain) => Word::Says(strain),
                None if spoke => Word::Silent,
                None => Word::Nothing,
            };
            if pings.len() >= WINDOW {
                pings.remove(0);
            }
            let strain = worst([&cache, &rest]);
            let slower = control.hear(strain, self.pace.measured(), Instant::now());
            if slower {
                // What was measured before says nothing of what comes after.
                pings.clear();
                rest = rest.until_seen();
            }
            self.pace.govern(control.governed());
        }
    }

    /// Looks at the rest from time to time: it may take long, and the cache is heard meanwhile.
    async fn look(&self, limits: &Limits, level: &Level, say: watch::Sender<Word>) {
        let mut evicted = level.evicted;
        let mut spoke = !level.looks.is_empty();
        loop {
            let strained = matches!(&*say.borrow(), Word::Says(strain) if strain.of_limit > 1.0);
            sleep(if strained { SETTLE } else { LOOK_EVERY }).await;
            let (now, vitals) = tokio::join!(self.evicted(), self.vitals());
            let evictions = rate(evicted, now);
            evicted = now.or(evicted);
            spoke |= vitals.is_some();
            say.send_replace(limits.rest(evictions, vitals, spoke));
        }
    }

    /// Who does not answer at once is asked again.
    async fn measure(&self) -> Level {
        let begun = Instant::now();
        let pings = async {
            let mut pings = Vec::new();
            for _ in 0..FIRST_PINGS {
                let ping = self.cache.latency().await;
                pings.extend(ping);
                if begun.elapsed() >= ASKED_FOR {
                    break;
                }
                sleep(ping.map_or(ASKED_AGAIN, |_| FIRST_PING_EVERY / 2)).await;
            }
            median(&mut pings)
        };
        let looks = async {
            let mut looks = Vec::new();
            for _ in 0..self.database().map_or(0, |_| FIRST_LOOKS) {
                let look = self.vitals().await;
                looks.extend(look);
                if begun.elapsed() >= ASKED_FOR {
                    break;
                }
                if look.is_none() {
                    sleep(ASKED_AGAIN).await;
                }
            }
            looks
        };
        let before = self.evicted().await;
        let (ping, looks) = tokio::join!(pings, looks);
        let evicted = self.evicted().await;
        Level {
            ping,
            looks,
            evictions: rate(before, evicted),
            evicted,
        }
    }

    /// What is not watched and should be, in words.
    fn unwatched(&self, level: &Level) -> Vec<String> {
        let cache = level.ping.is_none();
        let database = level.looks.is_empty();
        if cache && database {
            let why = "--gentle: neither database nor cache says how it is, so nothing is watched";
            return vec![why.to_owned()];
        }
        let not = |flag: &str, side: &str| {
            format!("{flag}: the {side} did not say how it is, so it is not watched until it does")
        };
        let mut all = Vec::new();
        if cache && self.limits.cache_latency.is_some() {
            all.push(not("--max-cache-latency", "cache"));
        }
        if database && self.limits.db_latency.is_some() {
            all.push(not("--max-db-latency", "database"));
        } else if database && self.database().is_some() {
            let what = "--gentle: the database did not say how it is, so it is not watched";
            all.push(what.to_owned());
        }
        all
    }

    /// A server; a file has nobody else to be disturbed.
    fn database(&self) -> Option<&Arc<dyn RowSource>> {
        let source = self.source.as_ref();
        source.filter(|source| !source.dialect().is_file())
    }

    async fn evicted(&self) -> Option<(u64, Instant)> {
        let evicted = self.cache.evicted().await.ok()?;
        Some((evicted, Instant::now()))
    }

    async fn vitals(&self) -> Option<SourceVitals> {
        self.database()?.vitals().await
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

/// What is worst of all; `None` where nobody complains and one does not speak who did before.
fn worst(words: [&Word; 2]) -> Option<&Strain> {
    let says = words.into_iter().filter_map(|word| match word {
        Word::Says(strain) => Some(strain),
        _ => None,
    });
    let worst = says.max_by(|a, b| a.of_limit.total_cmp(&b.of_limit));
    let is_silent = words.contains(&&Word::Silent);
    worst.filter(|strain| !is_silent || strain.of_limit > 1.0)
}

impl Word {
    /// What was too much is neither too much nor well until it has been looked at again.
    fn until_seen(self) -> Self {
        match self {
            Self::Says(strain) => Self::Says(Strain {
                of_limit: strain.of_limit.min(UNTIL_SEEN),
                ..strain
            }),
            word => word,
        }
    }
}

impl Limits {
    /// What is well where it was not said: somewhat more than while nothing is written.
    fn of(level: &Level, given: &GentleLimits, has_database: bool) -> Self {
        let mut latencies: Vec<_> = level.looks.iter().map(|look| look.latency).collect();
        let db_latency = median(&mut latencies);
        let active = level.looks.iter().rev().find_map(|look| look.active);
        let lag = level.looks.iter().rev().find_map(|look| look.lag);
        Self {
            cache_latency: given.cache_latency.or(level.ping.map(|ping| {
                let well = (ping * 2).max(ping + Duration::from_millis(1));
                well.min(LONGEST_LEVEL)
            })),
            evictions: {
                let level = level.evictions.unwrap_or(0.0);
                Some((level * 2.0).max(level + 100.0))
            },
            db_latency: given
                .db_latency
                .filter(|_| has_database)
                .or(db_latency.map(|latency| {
                    let well = (latency * 3).max(latency + Duration::from_millis(10));
                    well.min(LONGEST_LEVEL)
                })),
            // Our own are among them later.
            sessions: active.map(|active| (active as f64 * 2.0).max(active as f64 + 8.0)),
            lag: lag.map(|lag| (lag * 2).max(lag + Duration::from_secs(5))),
        }
    }

    /// What database and evictions say. `spoke`: the database has said how it is before.
    fn rest(&self, evictions: Option<f64>, vitals: Option<SourceVitals>, spoke: bool) -> Word {
        let is_silent = spoke && vitals.is_none();
        match self.strain(evictions, vitals) {
            Some(strain) if strain.of_limit > 1.0 || !is_silent => Word::Says(strain),
            _ if is_silent => Word::Silent,
            _ => Word::Nothing,
        }
    }

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
        let seconds = |strain: Strain, now: Duration| Strain {
            figure: format!("{:.1} s", now.as_secs_f64()),
            ..strain
        };
        let lag = source.and_then(|source| source.lag);
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
            latency(Limiter::ReplicaLag, lag, self.lag)
                .zip(lag)
                .map(|(strain, lag)| seconds(strain, lag)),
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

    /// Takes in how strained the servers are (`None`: nobody knows), and what leaves meanwhile.
    /// Whether it is slower from now on.
    fn hear(&mut self, strain: Option<&Strain>, run: Measured, now: Instant) -> bool {
        let settled = now.duration_since(self.changed) >= SETTLE;
        self.peak = run.present.max(self.peak * FADING);
        let Some(strain) = strain else {
            return false;
        };
        if strain.of_limit > 1.0 {
            let may = settled || self.step.is_none();
            if may {
                self.slow_down(strain, run, now);
            }
            return may;
        }
        // What stands still is held back by something else, and needs its limit when it goes on.
        let Some(allowed) = self.allowed.filter(|_| run.moves) else {
            return false;
        };
        if strain.of_limit > CALM {
            self.idle = 0;
            // Fast enough, and no faster.
            if self.step.is_none() && run.held {
                self.step = Some((self.peak / STEPS).max(LOWEST_RATE));
                self.why = (strain.by, strain.figure.clone());
            }
        } else if run.held {
            self.idle = 0;
            self.speed_up(allowed, settled, now);
        } else {
            self.idle += 1;
            if self.idle >= IDLE {
                self.allowed = None;
            }
        }
        false
    }

    fn slow_down(&mut self, strain: &Strain, run: Measured, now: Instant) {
        let share = if strain.of_limit > 2.0 {
            MUCH_SLOWER
        } else {
            SLOWER
        };
        let from = match self.allowed {
            Some(allowed) => allowed.min(self.peak),
            // What it wrote long ago is not what is too much now.
            None => run.most.unwrap_or(self.peak),
        };
        self.step = Some((self.peak / STEPS).max(LOWEST_RATE));
        self.allowed = Some((from * share).max(LOWEST_RATE));
        self.why = (strain.by, strain.figure.clone());
        self.changed = now;
        self.idle = 0;
    }

    fn speed_up(&mut self, allowed: f64, settled: bool, now: Instant) {
        match self.step {
            None => self.allowed = Some(allowed * 2.0),
            Some(step) if settled => {
                self.allowed = Some(allowed + step);
                self.step = Some(step * LONGER);
                self.changed = now;
            }
            Some(_) => {}
        }
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
                let run = moving(present, allowed < self.capacity);
                self.control.hear(Some(&strain), run, self.now);
                self.rates.push(present);
            }
            &self.rates
        }
    }

    fn moving(present: f64, held: bool) -> Measured {
        Measured {
            present,
            most: None,
            moves: true,
            held,
        }
    }

    fn standing() -> Measured {
        Measured {
            present: 0.0,
            most: None,
            moves: false,
            held: false,
        }
    }

    fn is(of_limit: f64) -> Strain {
        Strain {
            of_limit,
            by: Limiter::DatabaseLatency,
            figure: "4.1 ms".to_owned(),
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
            is("replica lag", "9.0 s", true)
        );
    }

    #[test]
    fn a_limit_outlasts_a_time_without_keys() {
        let mut shop = Shop::new(60_000.0, 300_000.0);
        let allowed = |shop: &Shop| shop.control.governed().map(|governed| governed.rate);
        let stand = |shop: &mut Shop, strain: Option<&Strain>| {
            for _ in 0..400 {
                shop.now += shop.control.ping_every();
                shop.control.hear(strain, standing(), shop.now);
            }
        };
        // The database takes its time for the first row.
        stand(&mut shop, Some(&is(0.1)));
        assert_eq!(allowed(&shop), Some(FIRST_RATE));
        shop.run(5);
        // The next strategy does; the cache is away.
        for strain in [Some(is(0.1)), Some(is(0.9)), None] {
            let before = allowed(&shop);
            assert!(before.is_some_and(|rate| rate < 70_000.0), "{before:?}");
            stand(&mut shop, strain.as_ref());
            assert_eq!(allowed(&shop), before);
            let rates = shop.run(1);
            assert!(rates.iter().all(|rate| *rate < 70_000.0), "{rates:?}");
        }
    }

    #[test]
    fn nobody_knows_is_not_well() {
        let mut control = Control::new(Instant::now());
        let mut now = Instant::now();
        for _ in 0..100 {
            now += PING_EVERY;
            control.hear(None, moving(10.0, false), now);
            control.hear(None, moving(50_000.0, true), now);
            control.hear(Some(&is(0.9)), moving(10.0, false), now);
        }
        assert_eq!(control.allowed, Some(FIRST_RATE));
    }

    #[test]
    fn what_is_always_too_much_for_the_database_falls_to_the_floor() {
        let (mut control, mut now) = (Control::new(Instant::now()), Instant::now());
        let (mut rest, mut looked) = (Word::Says(is(5.0)), now);
        let calm = Word::Says(Strain {
            by: Limiter::CacheLatency,
            ..is(0.2)
        });
        for _ in 0..160 {
            now += PING_EVERY;
            if now - looked >= LOOK_EVERY {
                (rest, looked) = (Word::Says(is(5.0)), now);
            }
            let present = control.allowed.map_or(300_000.0, |a| a.min(300_000.0));
            let strain = worst([&calm, &rest]);
            if control.hear(strain, moving(present, true), now) {
                rest = rest.until_seen();
            }
        }
        let allowed = control.allowed.expect("a limit");
        assert!(allowed < 1000.0, "{allowed} keys/s after four seconds");
    }

    #[test]
    fn a_run_that_is_free_is_slowed_from_what_it_writes_lately() {
        let mut control = Control::new(Instant::now());
        (control.allowed, control.peak) = (None, 300_000.0);
        let run = Measured {
            most: Some(4000.0),
            ..moving(100.0, false)
        };
        control.hear(Some(&is(3.0)), run, Instant::now());
        assert_eq!(control.allowed, Some(2000.0));
    }

    #[test]
    fn who_is_silent_does_not_let_it_go_faster() {
        let [calm, bad] = [0.2, 1.5].map(|of_limit| Word::Says(is(of_limit)));
        assert_eq!(worst([&calm, &Word::Nothing]), Some(&is(0.2)));
        assert_eq!(worst([&calm, &Word::Silent]), None);
        assert_eq!(worst([&Word::Silent, &bad]), Some(&is(1.5)));
        assert_eq!(worst([&calm, &bad]), Some(&is(1.5)));
        assert_eq!(bad.until_seen(), Word::Says(is(UNTIL_SEEN)));
        let limits = Limits {
            evictions: Some(100.0),
            db_latency: Some(Duration::from_millis(10)),
            ..Limits::default()
        };
        assert_eq!(limits.rest(None, None, false), Word::Nothing);
        assert_eq!(limits.rest(Some(5.0), None, true), Word::Silent);
        let evicting = limits.rest(Some(500.0), None, true);
        assert!(matches!(evicting, Word::Says(strain) if strain.of_limit > 1.0));
    }

    #[test]
    fn a_limit_that_was_asked_for_holds_without_a_level() {
        let given = GentleLimits {
            cache_latency: Some(Duration::from_millis(2)),
            db_latency: Some(Duration::from_millis(20)),
        };
        let limits = Limits::of(&Level::default(), &given, true);
        assert_eq!(limits.cache_latency, given.cache_latency);
        assert_eq!(limits.db_latency, given.db_latency);
        let on_files = Limits::of(&Level::default(), &given, false);
        assert_eq!(on_files.db_latency, None);
        // A server that hangs when the run begins is no level.
        let hangs = Level {
            ping: Some(Duration::from_secs(1)),
            ..Level::default()
        };
        let limits = Limits::of(&hangs, &GentleLimits::default(), true);
        assert_eq!(limits.cache_latency, Some(LONGEST_LEVEL));
    }
}
