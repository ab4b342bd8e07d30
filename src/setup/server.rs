//! What a server is made of, and what it does by itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connections::are_configured;
use super::shop::{CurrentShop, Shop, service};
use crate::application::runs::service::{RunRequest, Service};
use crate::application::schedule::clock::{self, Clock};
use crate::config::Config;
use crate::contexts::definitions::faults;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::run::Trigger;
use crate::infrastructure::metrics::Metrics;

/// How often it asks what other processes did.
const LEARN_EVERY: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Server {
    pub shop: Arc<CurrentShop>,
    pub service: Arc<Service>,
    pub metrics: Arc<Metrics>,
}

impl Server {
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: Config) -> Result<Self, Failure> {
        let shop = Shop::load(config)?;
        are_configured(&shop.config)?;
        for fault in shop.faults() {
            tracing::warn!(failure = %fault, "a definition is not valid: its strategy fails in every run");
        }
        let shop = Arc::new(CurrentShop::new(shop));
        let metrics = Arc::new(Metrics::new());
        let service = Arc::new(service(&shop, &metrics));
        Ok(Self {
            shop,
            service,
            metrics,
        })
    }

    /// Runs jobs at their times and first of all what is to be warmed at the start, until what this
    /// returns is dropped.
    pub fn work(&self) -> JoinSet<()> {
        let shop = Arc::clone(&self.shop);
        let jobs = move || {
            shop.get()
                .jobs
                .iter()
                .map(|planned| planned.job.clone())
                .collect()
        };
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

    /// Strategies are counted from 0, and last successes are those of all processes on the cache,
    /// not of this one alone.
    async fn learn(self) {
        loop {
            let shop = self.shop.get();
            self.metrics
                .declare(shop.definitions.iter().map(|d| &d.spec.id));
            let (last, runs) = (
                self.service.past.last_complete().await,
                self.service.runs().await,
            );
            if let (Ok(last), Ok(runs)) = (last, runs) {
                self.metrics.seed(&last, &runs);
            }
            sleep(LEARN_EVERY).await;
        }
    }

    /// Puts another configuration in the place of the one that there is.
    ///
    /// # Errors
    /// What is not valid, or cannot change while it listens at `address`; then all stays as it was.
    pub fn reload(&self, config: Config, address: SocketAddr) -> Result<(), Failure> {
        let new = Shop::load(config)?;
        // Strategies that are there go on as they were, rather than not at all.
        if let Some(failure) = faults(&new.definitions) {
            return Err(failure);
        }
        if new.config.serve.listen() != self.shop.get().config.serve.listen() {
            tracing::warn!("another address to listen on needs a restart");
        }
        if !address.ip().is_loopback() && new.config.token.is_none() {
            let what = "the new configuration has no token";
            let why = format!("this server listens on {address}, which other machines can reach");
            return Err(Failure::new(FailureKind::Config, what, why)
                .hint("set one with --token-file FILE or SHOPWARM_TOKEN"));
        }
        let (strategies, jobs) = (new.definitions.len(), new.jobs.len());
        self.shop.replace(new);
        tracing::info!(strategies, jobs, "reloaded");
        Ok(())
    }
}
