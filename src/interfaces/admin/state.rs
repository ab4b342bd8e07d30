//! The state behind all responses.

use std::sync::{Arc, RwLock};

use super::guard::Guard;
use crate::application::runs::service::Service;
use crate::config::Config;
use crate::domain::sync::{read, write};
use crate::setup::Metrics;
use crate::setup::server::Server;
use crate::setup::shop::CurrentShop;

/// The state behind all responses.
pub struct Admin {
    pub(super) service: Arc<Service>,
    pub(super) shop: Arc<CurrentShop>,
    pub(super) metrics: Arc<Metrics>,
    guard: RwLock<Arc<Guard>>,
}

/// The run of a response, for the audit line.
#[derive(Clone)]
pub(super) struct RunId(pub(super) String);

impl Admin {
    pub fn new(server: &Server) -> Self {
        let guard = Guard::new(&server.shop.get().config);
        Self {
            service: Arc::clone(&server.service),
            shop: Arc::clone(&server.shop),
            metrics: Arc::clone(&server.metrics),
            guard: RwLock::new(Arc::new(guard)),
        }
    }

    pub(super) fn guard(&self) -> Arc<Guard> {
        Arc::clone(&read(&self.guard))
    }

    /// Takes token and hosts from a new configuration.
    pub fn reload(&self, config: &Config) {
        let guard = Arc::new(Guard::new(config));
        *write(&self.guard) = guard;
    }
}
