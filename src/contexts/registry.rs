//! Strategies that are put together in Rust, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::application::ports::WarmupStrategy;
use crate::application::query::prepared::Prepared;
use crate::domain::failure::Failure;
use crate::domain::strategy::{StrategyId, StrategySpec};

/// Makes a strategy of the rows of its definition.
pub type Build = Arc<dyn Fn(Prepared) -> Result<Arc<dyn WarmupStrategy>, Failure> + Send + Sync>;

/// How a coded strategy is made.
#[derive(Clone)]
pub enum Coded {
    /// It says everything itself and needs no SQL.
    Whole(Arc<dyn WarmupStrategy>),
    /// A definition gives everything but the value.
    OfRows(Build),
}

/// The coded strategies of a shop, registered before the command line is read.
///
/// `Registry::default()` holds those that the shipped definitions need.
#[derive(Clone)]
pub struct Registry {
    coded: BTreeMap<StrategyId, Coded>,
    extends_shipped: bool,
}

impl Registry {
    pub(super) fn empty() -> Self {
        Self {
            coded: BTreeMap::new(),
            extends_shipped: false,
        }
    }

    /// Adds a strategy that makes its keys and values itself. A definition file may
    /// change its description, priority, TTL, tags, `min_keys` and `enabled`.
    ///
    /// It counts as a definition of your own, which replaces the shipped ones: see
    /// [`with_shipped`](Self::with_shipped).
    #[must_use]
    pub fn strategy(mut self, strategy: impl WarmupStrategy + 'static) -> Self {
        let id = strategy.spec().id.clone();
        self.coded.insert(id, Coded::Whole(Arc::new(strategy)));
        self
    }

    /// Adds a strategy whose definition file gives everything but the value, which `build` makes of
    /// the rows.
    #[must_use]
    pub fn rows<S: WarmupStrategy + 'static>(
        mut self,
        context: &str,
        name: &str,
        build: impl Fn(Prepared) -> Result<S, Failure> + Send + Sync + 'static,
    ) -> Self {
        let build: Build = Arc::new(move |rows| Ok(Arc::new(build(rows)?)));
        let id = StrategyId::new(context, name);
        self.coded.insert(id, Coded::OfRows(build));
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

    pub(crate) fn get(&self, id: &StrategyId) -> Option<&Coded> {
        self.coded.get(id)
    }

    /// The strategies that need no definition.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &StrategySpec> {
        self.coded.values().filter_map(|coded| match coded {
            Coded::Whole(strategy) => Some(strategy.spec()),
            Coded::OfRows(_) => None,
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.coded.keys()).finish()
    }
}
