//! What a server holds between its runs: configuration, definitions and schedule, read together and
//! replaced together.

use std::sync::{Arc, RwLock};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{Access, CacheNeed, cache, checked, jobs, looker, patiently, pick, warmer};
use crate::application::engine::coordinator::Coordinator;
use crate::application::engine::inspect::Inspection;
use crate::application::ports::Cache;
use crate::application::schedule::PlannedJob;
use crate::application::selection::Selection;
use crate::application::service::{Order, Wishes, Workshop};
use crate::config::Config;
use crate::contexts::definitions::Definitions;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::strategy::Definition;
use crate::domain::sync::{read, write};

/// One reading of all files. A definition in it may have a fault.
#[derive(Clone, Debug)]
pub struct Shop {
    pub config: Config,
    pub definitions: Vec<Definition>,
    pub jobs: Vec<PlannedJob>,
}

impl Shop {
    /// Reads the definitions that the configuration names.
    ///
    /// # Errors
    /// A file that cannot be read or parsed, or what is wrong with a job or with a name in a setting;
    /// what is wrong with any definition, where the operator wants that to stop everything.
    pub fn load(config: Config) -> Result<Self, Failure> {
        let read = Definitions::load(&config.contexts)?;
        let definitions = checked(&read, &config)?;
        let jobs = jobs(&config, &read, &definitions)?;
        let shop = Self {
            config,
            definitions,
            jobs,
        };
        if let Some(selection) = shop.start_selection() {
            shop.check(&selection).map_err(|failure| Failure {
                kind: FailureKind::Config,
                what: format!("on_start: {}", failure.what),
                ..failure
            })?;
        }
        Ok(shop)
    }

    /// What is wrong with definitions of it.
    pub fn faults(&self) -> impl Iterator<Item = &Failure> {
        let all = self.definitions.iter();
        all.filter_map(|definition| definition.fault.as_ref())
    }

    /// What a server warms when it starts, if anything.
    pub fn start_selection(&self) -> Option<Selection> {
        let names = &self.config.serving.on_start;
        match names.iter().any(|name| name == "all") {
            _ if names.is_empty() => None,
            true => Some(Selection::All),
            false => Some(Selection::Names(names.clone())),
        }
    }

    /// Whether there is what a selection names.
    fn check(&self, selection: &Selection) -> Result<(), Failure> {
        pick(self.definitions.clone(), selection, &self.config.filter).map(drop)
    }

    /// The configuration as one run has it.
    fn config_for(&self, wishes: &Wishes) -> Config {
        let mut config = self.config.clone();
        config.strict = wishes.strict.unwrap_or(config.strict);
        let options = &mut config.options;
        options.concurrency = wishes.concurrency.unwrap_or(options.concurrency);
        options.pace.rate = wishes.rate.unwrap_or(options.pace.rate);
        options.pace.gentle = wishes.gentle.unwrap_or(options.pace.gentle);
        options.mode = wishes.mode.unwrap_or(options.mode);
        options.skip_identical = wishes.skip_identical.unwrap_or(options.skip_identical);
        options.changed.on = wishes.changed.unwrap_or(options.changed.on);
        options.limit = wishes.limit.or(options.limit);
        if let Some(tags) = &wishes.tags {
            config.filter.tags.clone_from(tags);
        }
        config
    }
}

/// The shop as it is now; a reload puts another in its place.
pub struct CurrentShop {
    shop: RwLock<Arc<Shop>>,
    changes: watch::Sender<()>,
}

impl CurrentShop {
    pub fn new(shop: Shop) -> Self {
        Self {
            shop: RwLock::new(Arc::new(shop)),
            changes: watch::Sender::new(()),
        }
    }

    pub fn get(&self) -> Arc<Shop> {
        Arc::clone(&read(&self.shop))
    }

    /// Runs that go on keep the old one.
    pub fn replace(&self, shop: Shop) {
        *write(&self.shop) = Arc::new(shop);
        self.changes.send_replace(());
    }

    /// Hears of each replacement.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

impl Workshop for CurrentShop {
    fn coordinator<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Coordinator, Failure>> {
        async move {
            let shop = self.get();
            let config = shop.config_for(&order.wishes);
            let picked = pick(shop.definitions.clone(), &order.selection, &config.filter)?;
            let tell = |why: &Failure| tracing::warn!(%why, "waiting for a server");
            let connect = async || {
                let picked = picked.clone();
                match order.wishes.dry_run {
                    true => {
                        looker(&config, picked, Inspection::new(None), CacheNeed::IfGiven).await
                    }
                    false => warmer(&config, picked.0).await,
                }
            };
            patiently(config.wait, tell, connect).await
        }
        .boxed()
    }

    fn view(&self) -> BoxFuture<'_, Result<Arc<dyn Cache>, Failure>> {
        async move { cache(&self.get().config, Access::Look).await }.boxed()
    }

    fn cache(&self) -> BoxFuture<'_, Result<Arc<dyn Cache>, Failure>> {
        async move { cache(&self.get().config, Access::Write).await }.boxed()
    }

    fn prefix(&self) -> String {
        self.get().config.prefix.clone()
    }
}
