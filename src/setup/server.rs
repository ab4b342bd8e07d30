//! The parts of a server, and its background tasks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connections::are_configured;
use super::helper;
use super::shop::{CurrentShop, Shop, service};
use crate::application::run_state::stop::StopSignal;
use crate::application::runs::service::{RunRequest, Service};
use crate::application::schedule::clock::{self, Clock};
use crate::config::Config;
use crate::contexts::definitions::faults;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::run::Trigger;
use crate::infrastructure::metrics::Metrics;

/// How often to read what other processes did.
const LEARN_EVERY: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub struct Server {
    pub shop: Arc<CurrentShop>,
    pub service: Arc<Service>,
    pub metrics: Arc<Metrics>,
}

impl Server {
    /// # Errors
    /// The configuration is not valid.
    pub fn new(config: Config) -> Result<Self, Failure> {
        let shop = Shop::load(config)?;
        are_configured(&shop.config)?;
        let shop = Arc::new(CurrentShop::new(shop));
        let metrics = Arc::new(Metrics::new());
        let service = Arc::new(service(&shop, &metrics));
        Ok(Self { shop, service, metrics })
    }

    /// Runs the warm-up at start and the scheduled jobs until the returned guard is dropped.
    pub fn work(&self) -> JoinSet<()> {
        for fault in self.shop.get().faults() {
            tracing::warn!(failure = %fault, "a definition is not valid: its strategy fails in every run");
        }
        let shop = Arc::clone(&self.shop);
        let jobs = move || shop.get().jobs.iter().map(|planned| planned.job.clone()).collect();
        let clock = Clock::new(Arc::clone(&self.service), jobs);
        let mut working = JoinSet::new();
        working.spawn(clock.run(self.shop.changes()));
        working.spawn(self.clone().learn());
        if let Some(selection) = self.shop.get().start_selection() {
            let request = RunRequest::new(selection, Trigger::Start);
            working.spawn(clock::at_start(Arc::clone(&self.service), request));
        }
        working
    }

    /// Warms portions of other processes' runs, if the configuration says so, until it is told to stop;
    /// the task ends when it has finished those that it has.
    pub fn help(&self, stop: &StopSignal) -> JoinSet<()> {
        let mut helping = JoinSet::new();
        helping.spawn(helper::help(Arc::clone(&self.shop), stop.clone()));
        helping
    }

    /// Counters of known strategies start at 0, and last successes include those of other
    /// processes.
    async fn learn(self) {
        loop {
            let shop = self.shop.get();
            self.metrics.declare(shop.definitions.iter().map(|d| &d.spec.id));
            let (last, runs) = (self.service.past.last_complete().await, self.service.runs().await);
            if let (Ok(last), Ok(runs)) = (last, runs) {
                self.metrics.seed(&last, &runs);
            }
            sleep(LEARN_EVERY).await;
        }
    }

    /// Replaces the configuration.
    ///
    /// # Errors
    /// The new configuration is not valid, or needs another listen address; then the old one stays.
    pub fn reload(&self, config: Config, address: SocketAddr) -> Result<(), Failure> {
        let new = Shop::load(config)?;
        // Working strategies must not stop because of a bad reload.
        if let Some(failure) = faults(&new.definitions) {
            return Err(failure);
        }
        if new.config.serve.listen() != self.shop.get().config.serve.listen() {
            tracing::warn!("a new listen address needs a restart");
        }
        if !address.ip().is_loopback() && new.config.token.is_none() {
            let what = "the new configuration has no token";
            let why = format!("this server listens on {address}, which other machines can reach");
            return Err(Failure::new(FailureKind::Config, what, why)
                .hint("set one with --token-file FILE or SHOPWARM_TOKEN"));
        }
        self.shop.replace(new);
        Ok(())
    }
}
