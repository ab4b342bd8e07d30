//! Strategies that are written in Rust, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::application::ports::WarmupStrategy;
use crate::domain::strategy::{StrategyId, StrategySpec};

/// The coded strategies of a shop, registered before the command line is read.
#[derive(Clone, Default)]
pub struct Registry {
    coded: BTreeMap<StrategyId, Arc<dyn WarmupStrategy>>,
    extends_shipped: bool,
}

impl Registry {
    /// Adds a strategy that makes its keys and values itself. A definition file may
    /// change its description, priority, TTL, tags, `min_keys` and `enabled`.
    ///
    /// It counts as a definition of your own, which replaces the shipped ones: see
    /// [`with_shipped`](Self::with_shipped).
    #[must_use]
    pub fn strategy(mut self, strategy: impl WarmupStrategy + 'static) -> Self {
        let id = strategy.spec().id.clone();
        self.coded.insert(id, Arc::new(strategy));
        self
    }

    /// Keeps the shipped definitions beside your own, as `extends = "shipped"` does in a file.
    #[must_use]
    pub fn with_shipped(mut self) -> Self {
        self.extends_shipped = true;
        self
    }

    pub(crate) fn extends_shipped(&self) -> bool {
        self.extends_shipped
    }

    pub(crate) fn get(&self, id: &StrategyId) -> Option<&Arc<dyn WarmupStrategy>> {
        self.coded.get(id)
    }

    pub(crate) fn specs(&self) -> impl Iterator<Item = &StrategySpec> {
        self.coded.values().map(|strategy| strategy.spec())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.coded.keys()).finish()
    }
}
