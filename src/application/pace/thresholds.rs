//! Thresholds for the servers, and how close they are to them.

use std::time::Duration;

use super::baseline::{Baseline, median};
use super::limits::GentleLimits;
use crate::application::ports::{Replicas, SourceVitals};
use crate::domain::report::Limiter;
use crate::domain::wording::size;

/// Probes are capped at 1 s, so a threshold must stay below the cap.
const MAX_LATENCY: Duration = Duration::from_millis(900);

/// The median of this many pings counts, so that one late ping has no effect.
pub(super) const PINGS: usize = 5;
const MIN_PINGS: usize = 3;

/// A measurement above its threshold counts as this share of it until the next measurement.
const UNTIL_MEASURED: f64 = 0.9;

#[derive(Debug, Default)]
pub(super) struct Thresholds {
    pub cache_latency: Option<Duration>,
    /// Keys per second.
    evictions: Option<f64>,
    db_latency: Option<Duration>,
    sessions: Option<f64>,
    lag: Option<Duration>,
}

/// The measurements besides the cache's latency.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    /// Keys per second.
    pub evictions: Option<f64>,
    pub replicas: Option<Replicas>,
    pub database: Option<SourceVitals>,
}

/// A measurement as a share of its threshold: above 1.0 the run must slow down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pressure {
    pub share: f64,
    pub by: Limiter,
    /// `4.1 ms`.
    pub figure: String,
}

/// What is known about a server.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// It has never answered.
    Unknown,
    /// It has answered before, but does not now.
    Silent,
    Known(Pressure),
}

impl Verdict {
    pub(super) fn is_too_much(&self) -> bool {
        matches!(self, Self::Known(pressure) if pressure.share > 1.0)
    }

    /// The same for the time until the next measurement: neither too high nor low enough to speed up.
    pub(super) fn until_measured(self) -> Self {
        match self {
            Self::Known(pressure) => {
                Self::Known(Pressure { share: pressure.share.min(UNTIL_MEASURED), ..pressure })
            }
            verdict => verdict,
        }
    }
}

/// The highest pressure; `None` if none is too high and a server has stopped answering.
pub(super) fn worst(verdicts: [&Verdict; 2]) -> Option<&Pressure> {
    let known = verdicts.into_iter().filter_map(|verdict| match verdict {
        Verdict::Known(pressure) => Some(pressure),
        _ => None,
    });
    let worst = known.max_by(|a, b| a.share.total_cmp(&b.share));
    let is_silent = verdicts.contains(&&Verdict::Silent);
    worst.filter(|pressure| !is_silent || pressure.share > 1.0)
}

impl Thresholds {
    /// The given thresholds; the others are slightly above the baseline.
    pub(super) fn new(baseline: &Baseline, given: &GentleLimits, has_database: bool) -> Self {
        let vitals = &baseline.vitals;
        let above = |latency: Duration, factor: u32, millis: u64| {
            let threshold = (latency * factor).max(latency + Duration::from_millis(millis));
            threshold.min(MAX_LATENCY)
        };
        let mut latencies: Vec<_> = vitals.iter().map(|vitals| vitals.latency).collect();
        let db_latency = median(&mut latencies).map(|latency| above(latency, 3, 10));
        let evictions = baseline.evictions.unwrap_or(0.0);
        let active = vitals.iter().rev().find_map(|vitals| vitals.active);
        let lag = vitals.iter().rev().find_map(|vitals| vitals.lag);
        Self {
            cache_latency: given.cache_latency.or(baseline.ping.map(|ping| above(ping, 2, 1))),
            evictions: Some((evictions * 2.0).max(evictions + 100.0)),
            db_latency: given.db_latency.filter(|_| has_database).or(db_latency),
            // Later measurements include our own sessions.
            sessions: active.map(|active| (active as f64 * 2.0).max(active as f64 + 8.0)),
            lag: lag.map(|lag| (lag * 2).max(lag + Duration::from_secs(5))),
        }
    }

    /// `answered`: whether the database has answered before.
    pub(super) fn verdict(&self, rest: &Rest, answered: bool) -> Verdict {
        let is_silent = answered && rest.database.is_none();
        match self.pressure(rest) {
            Some(pressure) if pressure.share > 1.0 || !is_silent => Verdict::Known(pressure),
            _ if is_silent => Verdict::Silent,
            _ => Verdict::Unknown,
        }
    }

    /// The pressure on the cache from its last pings; `None`: too few pings.
    pub(super) fn cache_pressure(&self, pings: &[Duration]) -> Option<Pressure> {
        let last = pings.len().saturating_sub(PINGS);
        let mut last = pings[last..].to_vec();
        if last.len() < MIN_PINGS {
            return None;
        }
        let ping = median(&mut last)?;
        Some(latency(Limiter::CacheLatency, ping, self.cache_latency?))
    }

    /// The highest of the other pressures.
    fn pressure(&self, rest: &Rest) -> Option<Pressure> {
        let Rest { evictions, replicas, database: vitals } = *rest;
        let count = |by, now: Option<f64>, threshold: Option<f64>, unit: &str| {
            Some(Pressure { share: now? / threshold?, by, figure: format!("{:.0}{unit}", now?) })
        };
        let active = vitals.and_then(|v| v.active).map(|n| n as f64);
        let of_database = vitals.zip(self.db_latency).map(|(vitals, threshold)| {
            latency(Limiter::DatabaseLatency, vitals.latency, threshold)
        });
        let lag = vitals.and_then(|v| v.lag).zip(self.lag);
        let lag = lag.map(|(lag, threshold)| Pressure {
            figure: format!("{:.1} s", lag.as_secs_f64()),
            ..latency(Limiter::ReplicaLag, lag, threshold)
        });
        // Half the limit: a replica confirms only once a second.
        let behind = replicas.and_then(|replicas| {
            let share = replicas.behind as f64 / (replicas.limit? as f64 / 2.0);
            let figure = format!("{} behind", size(replicas.behind));
            Some(Pressure { share, by: Limiter::CacheReplicas, figure })
        });
        let all = [
            behind,
            count(Limiter::Evictions, evictions, self.evictions, "/s"),
            of_database,
            count(Limiter::DatabaseSessions, active, self.sessions, ""),
            lag,
        ];
        let all = all.into_iter().flatten();
        all.max_by(|a, b| a.share.total_cmp(&b.share))
    }
}

fn latency(by: Limiter, now: Duration, threshold: Duration) -> Pressure {
    Pressure {
        share: now.as_secs_f64() / threshold.as_secs_f64().max(1e-9),
        by,
        figure: format!("{:.1} ms", now.as_secs_f64() * 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(share: f64) -> Pressure {
        Pressure { share, by: Limiter::DatabaseLatency, figure: "4.1 ms".to_owned() }
    }

    #[test]
    fn one_late_ping_says_nothing() {
        let thresholds =
            Thresholds { cache_latency: Some(Duration::from_millis(2)), ..Thresholds::default() };
        let [fast, slow] = [1, 50].map(Duration::from_millis);
        let of = |pings: &[Duration]| thresholds.cache_pressure(pings).map(|p| p.share);
        assert_eq!(of(&[slow; 2]), None, "too few");
        assert_eq!(of(&[fast, slow, fast, slow, fast]), Some(0.5));
        assert_eq!(of(&[fast, slow, slow, fast, slow]), Some(25.0));
        assert_eq!(of(&[slow, slow, slow, fast, fast, fast, fast, fast]), Some(0.5));
    }

    #[test]
    fn the_worst_of_all_is_what_counts() {
        let thresholds = Thresholds {
            evictions: Some(100.0),
            db_latency: Some(Duration::from_millis(10)),
            sessions: Some(10.0),
            lag: Some(Duration::from_secs(5)),
            ..Thresholds::default()
        };
        let vitals = |latency, active, lag| {
            Some(SourceVitals { latency: Duration::from_millis(latency), active, lag })
        };
        let worst = |evictions, vitals| {
            let rest = Rest { evictions, replicas: None, database: vitals };
            let pressure = thresholds.pressure(&rest);
            pressure.map(|p| (p.by.name(), p.figure, p.share > 1.0))
        };
        let is = |by, figure: &str, over| Some((by, figure.to_owned(), over));
        assert_eq!(worst(None, None), None);
        assert_eq!(worst(Some(250.0), None), is("evictions", "250/s", true));
        assert_eq!(worst(None, vitals(5, Some(4), None)), is("database latency", "5.0 ms", false));
        assert_eq!(worst(None, vitals(5, Some(12), None)), is("database sessions", "12", true));
        let behind = Some(Duration::from_secs(9));
        assert_eq!(worst(Some(50.0), vitals(5, Some(4), behind)), is("replica lag", "9.0 s", true));
        let replicas = Some(Replicas { behind: 6 << 20, limit: Some(8 << 20), full_syncs: 0 });
        let pressure = thresholds.pressure(&Rest { replicas, ..Rest::default() }).expect("known");
        assert_eq!((pressure.figure.as_str(), pressure.share), ("6.0 MiB behind", 1.5));
        let never = replicas.map(|replicas| Replicas { limit: None, ..replicas });
        assert_eq!(thresholds.pressure(&Rest { replicas: never, ..Rest::default() }), None);
    }

    #[test]
    fn who_is_silent_does_not_let_it_go_faster() {
        let [calm, bad] = [0.2, 1.5].map(|share| Verdict::Known(is(share)));
        assert_eq!(worst([&calm, &Verdict::Unknown]), Some(&is(0.2)));
        assert_eq!(worst([&calm, &Verdict::Silent]), None);
        assert_eq!(worst([&Verdict::Silent, &bad]), Some(&is(1.5)));
        assert_eq!(worst([&calm, &bad]), Some(&is(1.5)));
        assert_eq!(bad.until_measured(), Verdict::Known(is(UNTIL_MEASURED)));
        let thresholds = Thresholds {
            evictions: Some(100.0),
            db_latency: Some(Duration::from_millis(10)),
            ..Thresholds::default()
        };
        let evicting = |evictions| Rest { evictions, ..Rest::default() };
        assert_eq!(thresholds.verdict(&evicting(None), false), Verdict::Unknown);
        assert_eq!(thresholds.verdict(&evicting(Some(5.0)), true), Verdict::Silent);
        let evicting = thresholds.verdict(&evicting(Some(500.0)), true);
        assert!(evicting.is_too_much());
    }

    #[test]
    fn a_limit_that_was_asked_for_holds_without_a_baseline() {
        let given = GentleLimits {
            cache_latency: Some(Duration::from_millis(2)),
            db_latency: Some(Duration::from_millis(20)),
        };
        let thresholds = Thresholds::new(&Baseline::default(), &given, true);
        assert_eq!(thresholds.cache_latency, given.cache_latency);
        assert_eq!(thresholds.db_latency, given.db_latency);
        let on_files = Thresholds::new(&Baseline::default(), &given, false);
        assert_eq!(on_files.db_latency, None);
        // A server that hangs at the start of the run gives no baseline.
        let hangs = Baseline { ping: Some(Duration::from_secs(1)), ..Baseline::default() };
        let thresholds = Thresholds::new(&hangs, &GentleLimits::default(), true);
        assert_eq!(thresholds.cache_latency, Some(MAX_LATENCY));
    }
}
