//! Configuration, definitions and schedule of a server, read and replaced together.

use std::sync::{Arc, RwLock};

use futures_util::FutureExt as _;
use tokio::sync::watch;

use super::connections::{Access, cache};
use super::coordinators::{CacheNeed, viewer_of, warmer};
use super::definitions::{checked, jobs, pick};
use super::retry::with_retries;
use crate::application::engine::inspect::Inspection;
use crate::application::runs::service::{
    Milestone, Open, Prepared, RunRequest, Service, Store, Use,
};
use crate::application::schedule::PlannedJob;
use crate::application::settings::{Group as _, RunSettings};
use crate::config::Config;
use crate::contexts::definitions::Definitions;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::run::{Flags, RunInfo};
use crate::domain::selection::Selection;
use crate::domain::strategy::Definition;
use crate::domain::sync::{read, write};
use crate::infrastructure::metrics::Metrics;

/// The result of reading all files. A definition may carry an error.
#[derive(Clone, Debug)]
pub struct Shop {
    pub config: Config,
    /// The definitions as they were read.
    read: Definitions,
    pub definitions: Vec<Definition>,
    pub jobs: Vec<PlannedJob>,
}

impl Shop {
    /// Reads the definitions that the configuration names.
    ///
    /// # Errors
    /// A file cannot be read or parsed, a job or a name is not valid, or, with `strict`, a
    /// definition is not valid.
    pub fn load(config: Config) -> Result<Self, Failure> {
        let read = config.definitions()?;
        let definitions = checked(&read, &config)?;
        let jobs = jobs(&config, &read, &definitions)?;
        let shop = Self { config, read, definitions, jobs };
        if let Some(selection) = shop.start_selection() {
            shop.check(&selection).map_err(|failure| Failure {
                kind: FailureKind::Config,
                what: format!("on_start: {}", failure.what),
                ..failure
            })?;
        }
        Ok(shop)
    }

    /// Errors of its definitions.
    pub fn faults(&self) -> impl Iterator<Item = &Failure> {
        let all = self.definitions.iter();
        all.filter_map(|definition| definition.fault.as_ref())
    }

    /// What to warm at the start.
    pub fn start_selection(&self) -> Option<Selection> {
        let names = self.config.serve.on_start().0;
        match names.iter().any(|name| name == "all") {
            _ if names.is_empty() => None,
            true => Some(Selection::All),
            false => Some(Selection::Names(names)),
        }
    }

    /// Checks that the names of a selection exist.
    fn check(&self, selection: &Selection) -> Result<(), Failure> {
        pick(self.definitions.clone(), selection, &self.config.filter()).map(drop)
    }

    /// The configuration of one run.
    fn config_for(&self, settings: RunSettings) -> Config {
        let mut config = self.config.clone();
        if settings.exclude.is_some() {
            config.exclude_kind = FailureKind::Usage;
        }
        config.run = settings.gentle_by_latency().over(config.run);
        config
    }

    /// Connects and prepares a requested run.
    async fn prepare(&self, request: RunRequest) -> Result<Prepared, Failure> {
        let has_vars = request.settings.vars.is_some();
        let config = self.config_for(request.settings);
        let definitions = match has_vars {
            true => checked(&self.read, &config)?,
            false => self.definitions.clone(),
        };
        let picked = pick(definitions, &request.selection, &config.filter())?;
        let tell = |why: &Failure| tracing::warn!(%why, "waiting for a server");
        let connect = async || {
            let picked = picked.clone();
            match request.dry_run {
                true => {
                    let inspection = Inspection { shape: true, ..Inspection::new(None) };
                    viewer_of(&config, picked, inspection, CacheNeed::IfGiven).await
                }
                false => warmer(&config, picked.0).await,
            }
        };
        Ok(Prepared {
            coordinator: with_retries(config.run.wait(), tell, connect).await?,
            deadline: config.run.deadline(),
        })
    }
}

/// The current shop; a reload replaces it.
pub struct CurrentShop {
    shop: RwLock<Arc<Shop>>,
    changes: watch::Sender<()>,
}

impl CurrentShop {
    pub fn new(shop: Shop) -> Self {
        Self { shop: RwLock::new(Arc::new(shop)), changes: watch::Sender::new(()) }
    }

    pub fn get(&self) -> Arc<Shop> {
        Arc::clone(&read(&self.shop))
    }

    /// Active runs keep the old one.
    pub fn replace(&self, shop: Shop) {
        *write(&self.shop) = Arc::new(shop);
        self.changes.send_replace(());
    }

    /// Notifies about replacements.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

pub fn service(shop: &Arc<CurrentShop>, metrics: &Arc<Metrics>) -> Service {
    let (preparing, opening, metrics) = (Arc::clone(shop), Arc::clone(shop), Arc::clone(metrics));
    let prepare = move |request| {
        let shop = preparing.get();
        async move { shop.prepare(request).await }.boxed()
    };
    let open: Arc<Open> = Arc::new(move |what_for| {
        let shop = opening.get();
        async move {
            let access = match what_for {
                Use::Read => Access::Read,
                Use::Write => Access::Write,
            };
            Ok(Store {
                cache: cache(&shop.config, access).await?,
                prefix: shop.config.prefix.clone(),
            })
        }
        .boxed()
    });
    let observe = move |info: &RunInfo, milestone: Milestone<'_>| metrics.observe(info, milestone);
    let flags =
        Flags { everywhere: shop.get().config.flags.everywhere.clone(), ..Flags::default() };
    Service::new(Box::new(prepare), open, Box::new(observe), flags)
}
