//! `--gentle`: watches the servers during a run and adjusts its rate. The rate falls by a factor
//! when a server is under pressure, and rises in steps while none is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use super::baseline::{Baseline, Servers, eviction_rate};
use super::control::Control;
use super::limits::GentleLimits;
use super::thresholds::{PINGS, Rest, Thresholds, Verdict, worst};
use super::throttle::Pace;
use crate::application::ports::{Cache, RowSource};

/// The interval between measurements of database and evictions: normally, and while one is too high.
const VITALS_EVERY: Duration = Duration::from_millis(500);
const PRESSED_VITALS_EVERY: Duration = Duration::from_millis(200);

pub(in crate::application) struct Governor {
    pace: Pace,
    servers: Servers,
    given: GentleLimits,
}

impl Governor {
    pub(crate) fn new(
        pace: Pace,
        cache: Arc<dyn Cache>,
        source: Option<Arc<dyn RowSource>>,
        given: GentleLimits,
    ) -> Self {
        Self { pace, servers: Servers::new(cache, source), given }
    }

    /// Adjusts the rate while the run is gentle. Never returns.
    pub(crate) async fn run(self) {
        loop {
            self.pace.until_gentle(true).await;
            tokio::select! {
                () = self.govern() => {}
                () = self.pace.until_gentle(false) => {}
            }
            self.pace.allow(None);
        }
    }

    /// Never returns.
    async fn govern(&self) {
        let baseline = loop {
            let baseline = self.servers.measure().await;
            let unwatched = self.servers.unwatched(&baseline, &self.given);
            self.pace.set_unwatched(unwatched);
            if baseline.ping.is_some() || !baseline.vitals.is_empty() {
                break baseline;
            }
            self.pace.allow(None);
            sleep(VITALS_EVERY).await;
        };
        let has_database = self.servers.database.is_some();
        let thresholds = Thresholds::new(&baseline, &self.given, has_database);
        let last = baseline.vitals.last().copied();
        let first = Rest { database: last, ..Rest::default() };
        let (tell, rest) = watch::channel(thresholds.verdict(&first, last.is_some()));
        tokio::select! {
            () = self.watch_vitals(&thresholds, &baseline, tell) => {}
            () = self.watch_latency(&thresholds, &baseline, rest) => {}
        }
    }

    /// Pings the cache, and sets the pace from all measurements.
    async fn watch_latency(
        &self,
        thresholds: &Thresholds,
        baseline: &Baseline,
        mut verdicts: watch::Receiver<Verdict>,
    ) {
        let mut control = Control::new(Instant::now());
        let mut pings: Vec<Duration> = Vec::with_capacity(PINGS);
        let mut answered = baseline.ping.is_some();
        let mut rest = verdicts.borrow_and_update().clone();
        loop {
            sleep(control.ping_every()).await;
            if thresholds.cache_latency.is_some() {
                match self.servers.cache.latency().await {
                    Some(ping) => pings.push(ping),
                    // After an outage the old baseline does not count.
                    None => pings.clear(),
                }
                answered |= !pings.is_empty();
            }
            if verdicts.has_changed().unwrap_or(false) {
                rest = verdicts.borrow_and_update().clone();
            }
            let cache = match thresholds.cache_pressure(&pings) {
                Some(pressure) => Verdict::Known(pressure),
                None if answered => Verdict::Silent,
                None => Verdict::Unknown,
            };
            if pings.len() >= PINGS {
                pings.remove(0);
            }
            let pressure = worst([&cache, &rest]);
            let slower = control.observe(pressure, self.pace.throughput(), Instant::now());
            if slower {
                // Earlier measurements do not show the effect of the new rate.
                pings.clear();
                rest = rest.until_measured();
            }
            self.pace.allow(control.allowance());
        }
    }

    /// Takes the other measurements at intervals. They may be slow, so the pings run in parallel.
    async fn watch_vitals(
        &self,
        thresholds: &Thresholds,
        baseline: &Baseline,
        tell: watch::Sender<Verdict>,
    ) {
        let mut evicted = baseline.evicted;
        let mut answered = !baseline.vitals.is_empty();
        loop {
            let pressed = tell.borrow().is_too_much();
            sleep(if pressed { PRESSED_VITALS_EVERY } else { VITALS_EVERY }).await;
            let (now, replicas, database) = tokio::join!(
                self.servers.evicted(),
                self.servers.cache.replicas(),
                self.servers.vitals()
            );
            let evictions = eviction_rate(evicted, now);
            evicted = now.or(evicted);
            answered |= database.is_some();
            let rest = Rest { evictions, replicas, database };
            tell.send_replace(thresholds.verdict(&rest, answered));
        }
    }
}
