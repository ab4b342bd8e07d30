//! What the answers are made from.

use std::sync::{Arc, RwLock};

use super::guard::Guard;
use crate::application::service::Service;
use crate::config::Serving;
use crate::domain::sync::{read, write};
use crate::setup::shop::CurrentShop;

/// What the answers are made from.
pub struct Admin {
    pub(super) service: Arc<Service>,
    pub(super) shop: Arc<CurrentShop>,
    pub(super) metrics: Box<dyn Fn() -> String + Send + Sync>,
    guard: RwLock<Arc<Guard>>,
}

/// The run that an answer is about, for the audit line.
#[derive(Clone)]
pub(super) struct RunId(pub(super) String);

impl Admin {
    pub fn new(
        service: Arc<Service>,
        shop: Arc<CurrentShop>,
        metrics: Box<dyn Fn() -> String + Send + Sync>,
    ) -> Self {
        let guard = Guard::new(&shop.get().config.serving);
        Self {
            service,
            shop,
            metrics,
            guard: RwLock::new(Arc::new(guard)),
        }
    }

    pub(super) fn guard(&self) -> Arc<Guard> {
        Arc::clone(&read(&self.guard))
    }

    /// Takes token and hosts from a new configuration.
    pub fn reload(&self, serving: &Serving) {
        let guard = Arc::new(Guard::new(serving));
        *write(&self.guard) = guard;
    }
}
