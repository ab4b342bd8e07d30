//! Additive increase, multiplicative decrease.

use std::time::{Duration, Instant};

use super::limits::{Allowance, MIN_RATE, Throughput};
use super::thresholds::Pressure;
use crate::domain::report::Limiter;

/// The interval between two pings of the cache: until the rate is too high for the first time, and later.
const FIRST_PING_EVERY: Duration = Duration::from_millis(10);
const PING_EVERY: Duration = Duration::from_millis(25);

/// How long to wait for the effect of a change.
const SETTLE: Duration = Duration::from_millis(200);

/// The rate at the start of a run, in keys per second.
const FIRST_RATE: f64 = 50_000.0;

/// The factors for the rate above the threshold, and above twice the threshold.
const SLOWER: f64 = 0.7;
const MUCH_SLOWER: f64 = 0.5;

/// Steps from zero to the recent peak, and the decay of the peak per ping: it falls to a tenth in a
/// minute. Each step is larger than the one before while the pressure is low.
const STEPS: f64 = 20.0;
const LONGER: f64 = 1.25;
const FADING: f64 = 0.999;

/// Below this share of the threshold the rate may rise.
const CALM: f64 = 0.8;

/// The limit is removed after this many pings in a row without any effect.
const IDLE: u32 = 8;

#[derive(Debug)]
pub(super) struct Control {
    /// Keys per second; `None`: no limit.
    allowed: Option<f64>,
    /// The measurement that was above its threshold.
    why: (Limiter, String),
    /// The highest recent throughput, in keys per second. A server that is idle says little about
    /// what it can handle.
    peak: f64,
    /// The next increase, in keys per second; it doubles until the rate is too high for the first time.
    step: Option<f64>,
    changed: Instant,
    /// The number of pings in a row at which the limit had no effect.
    idle: u32,
}

impl Control {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            allowed: Some(FIRST_RATE),
            why: (Limiter::Start, String::new()),
            peak: 0.0,
            step: None,
            changed: now,
            idle: 0,
        }
    }

    /// Takes the pressure on the servers (`None`: not known) and the run's throughput. Returns
    /// whether it lowered the rate.
    pub(super) fn observe(
        &mut self,
        pressure: Option<&Pressure>,
        run: Throughput,
        now: Instant,
    ) -> bool {
        let settled = now.duration_since(self.changed) >= SETTLE;
        self.peak = run.now.max(self.peak * FADING);
        let Some(pressure) = pressure else {
            return false;
        };
        if pressure.share > 1.0 {
            let may = settled || self.step.is_none();
            if may {
                self.slow_down(pressure, run, now);
            }
            return may;
        }
        // Something else delays a run that sends nothing, and it needs its limit later.
        let Some(allowed) = self.allowed.filter(|_| run.moves) else {
            return false;
        };
        if pressure.share > CALM {
            self.idle = 0;
            // The rate is right as it is.
            if self.step.is_none() && run.held {
                self.step = Some((self.peak / STEPS).max(MIN_RATE));
                self.why = (pressure.by, pressure.figure.clone());
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

    fn slow_down(&mut self, pressure: &Pressure, run: Throughput, now: Instant) {
        let share = if pressure.share > 2.0 { MUCH_SLOWER } else { SLOWER };
        let from = match self.allowed {
            Some(allowed) => allowed.min(self.peak),
            // An old peak says nothing about the present load.
            None => run.max.unwrap_or(self.peak),
        };
        self.step = Some((self.peak / STEPS).max(MIN_RATE));
        self.allowed = Some((from * share).max(MIN_RATE));
        self.why = (pressure.by, pressure.figure.clone());
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

    pub(super) fn ping_every(&self) -> Duration {
        match self.step {
            None if self.allowed.is_some() => FIRST_PING_EVERY,
            _ => PING_EVERY,
        }
    }

    pub(super) fn allowance(&self) -> Option<Allowance> {
        let (by, figure) = &self.why;
        self.allowed.map(|rate| Allowance { rate, by: *by, figure: figure.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::thresholds::{Verdict, worst};
    use super::*;

    /// A run that could write `capacity` keys per second, on a server that can handle `tolerates`.
    struct Shop {
        tolerates: f64,
        capacity: f64,
        control: Control,
        now: Instant,
        rates: Vec<f64>,
    }

    impl Shop {
        fn new(tolerates: f64, capacity: f64) -> Self {
            let now = Instant::now();
            Self { tolerates, capacity, control: Control::new(now), now, rates: Vec::new() }
        }

        /// Runs for `seconds` and returns the rates.
        fn run(&mut self, seconds: u32) -> &[f64] {
            self.rates.clear();
            for _ in 0..seconds * 40 {
                self.now += self.control.ping_every();
                let allowed = self.control.allowance().map_or(f64::INFINITY, |g| g.rate);
                let present = allowed.min(self.capacity);
                let pressure = Pressure {
                    share: present / self.tolerates,
                    by: Limiter::CacheLatency,
                    figure: "4.1 ms".to_owned(),
                };
                let run = moving(present, allowed < self.capacity);
                self.control.observe(Some(&pressure), run, self.now);
                self.rates.push(present);
            }
            &self.rates
        }
    }

    fn moving(present: f64, held: bool) -> Throughput {
        Throughput { now: present, max: None, moves: true, held }
    }

    fn standing() -> Throughput {
        Throughput { now: 0.0, max: None, moves: false, held: false }
    }

    fn is(share: f64) -> Pressure {
        Pressure { share, by: Limiter::DatabaseLatency, figure: "4.1 ms".to_owned() }
    }

    fn mean(rates: &[f64]) -> f64 {
        rates.iter().sum::<f64>() / rates.len() as f64
    }

    #[test]
    fn what_everybody_tolerates_is_no_limit_soon() {
        let mut shop = Shop::new(1e9, 300_000.0);
        let rates = shop.run(1);
        assert!(mean(rates) > 250_000.0, "{rates:?}");
        assert!(rates[10..].iter().all(|rate| *rate == 300_000.0), "{rates:?}");
        assert_eq!(shop.control.allowance(), None);
    }

    #[test]
    fn it_finds_what_the_servers_bear_and_stays_there() {
        let mut shop = Shop::new(60_000.0, 300_000.0);
        shop.run(3);
        let rates = shop.run(10);
        let (least, most) = rates
            .iter()
            .fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
        assert!(least > 30_000.0 && most < 70_000.0, "{least} to {most}");
        assert!(mean(rates) > 42_000.0, "{}", mean(rates));
        let by = shop.control.allowance().map(|allowed| allowed.by);
        assert_eq!(by, Some(Limiter::CacheLatency));
    }

    #[test]
    fn it_slows_down_at_once_and_recovers_by_itself() {
        let mut shop = Shop::new(1e9, 300_000.0);
        shop.run(2);
        shop.tolerates = 1000.0;
        let rates = shop.run(4);
        assert!(rates[20] <= 150_000.0, "half a second later: {rates:?}");
        assert!(mean(&rates[120..]) < 2000.0, "{rates:?}");
        assert!(rates.iter().all(|rate| *rate >= MIN_RATE));
        shop.tolerates = 1e9;
        shop.run(8);
        assert_eq!(shop.control.allowance(), None, "no limit any more");
    }

    #[test]
    fn a_limit_outlasts_a_time_without_keys() {
        let mut shop = Shop::new(60_000.0, 300_000.0);
        let allowed = |shop: &Shop| shop.control.allowance().map(|allowed| allowed.rate);
        let stand = |shop: &mut Shop, pressure: Option<&Pressure>| {
            for _ in 0..400 {
                shop.now += shop.control.ping_every();
                shop.control.observe(pressure, standing(), shop.now);
            }
        };
        // The database is slow to return the first row.
        stand(&mut shop, Some(&is(0.1)));
        assert_eq!(allowed(&shop), Some(FIRST_RATE));
        shop.run(5);
        // The next strategy is as slow; then the cache is down.
        for pressure in [Some(is(0.1)), Some(is(0.9)), None] {
            let before = allowed(&shop);
            assert!(before.is_some_and(|rate| rate < 70_000.0), "{before:?}");
            stand(&mut shop, pressure.as_ref());
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
            control.observe(None, moving(10.0, false), now);
            control.observe(None, moving(50_000.0, true), now);
            control.observe(Some(&is(0.9)), moving(10.0, false), now);
        }
        assert_eq!(control.allowed, Some(FIRST_RATE));
    }

    #[test]
    fn what_is_always_too_much_for_the_database_falls_to_the_floor() {
        let (mut control, mut now) = (Control::new(Instant::now()), Instant::now());
        let (mut rest, mut looked) = (Verdict::Known(is(5.0)), now);
        let calm = Verdict::Known(Pressure { by: Limiter::CacheLatency, ..is(0.2) });
        for _ in 0..160 {
            now += PING_EVERY;
            if now - looked >= Duration::from_millis(500) {
                (rest, looked) = (Verdict::Known(is(5.0)), now);
            }
            let present = control.allowed.map_or(300_000.0, |a| a.min(300_000.0));
            let pressure = worst([&calm, &rest]);
            if control.observe(pressure, moving(present, true), now) {
                rest = rest.until_measured();
            }
        }
        let allowed = control.allowed.expect("a limit");
        assert!(allowed < 1000.0, "{allowed} keys/s after four seconds");
    }

    #[test]
    fn a_run_that_is_free_is_slowed_from_what_it_writes_lately() {
        let mut control = Control::new(Instant::now());
        (control.allowed, control.peak) = (None, 300_000.0);
        let run = Throughput { max: Some(4000.0), ..moving(100.0, false) };
        control.observe(Some(&is(3.0)), run, Instant::now());
        assert_eq!(control.allowed, Some(2000.0));
    }
}
