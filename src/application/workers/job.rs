//! A run that a worker works for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::task::{Announcement, Task, fingerprints};
use crate::application::engine::coordinator::Coordinator;
use crate::application::ports::Cache;
use crate::domain::failure::{Failure, FailureKind};

/// A run that a worker works for.
pub(super) struct Job {
    pub(super) run_id: String,
    /// The worker's strategies, with the run's options.
    pub(super) coordinator: Coordinator,
    announced: Announcement,
    portions: AtomicU64,
    keys: AtomicU64,
    /// Portions of each strategy whose values were compared with those in the cache.
    pub(super) compared: Mutex<HashMap<usize, u64>>,
}

impl Job {
    /// # Errors
    /// What the run asks for is not understood.
    pub(super) fn new(
        run_id: &str,
        announced: &[u8],
        own: &Coordinator,
        cache: &Arc<dyn Cache>,
    ) -> Result<Self, Failure> {
        let announced: Announcement = serde_json::from_slice(announced).map_err(|error| {
            let what = format!("run {run_id} has another version of shopwarm");
            Failure::new(FailureKind::Config, what, error.to_string())
                .hint("run the same version of shopwarm everywhere")
        })?;
        let plan = own.plan();
        let options = announced.options(&plan.options);
        let coordinator = Coordinator::new(plan.strategies.clone(), Arc::clone(cache), options);
        let (portions, keys) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self {
            run_id: run_id.to_owned(),
            coordinator,
            announced,
            portions,
            keys,
            compared: Mutex::default(),
        })
    }

    /// Counts a portion and its keys.
    pub(super) fn count(&self, keys: u64) {
        self.portions.fetch_add(1, Ordering::Relaxed);
        self.keys.fetch_add(keys, Ordering::Relaxed);
    }

    /// Whether what this worker stores is what the run asks for.
    ///
    /// # Errors
    /// It is not, and what to do.
    pub(super) fn fits(&self, task: &Task, origin: &str) -> Result<(), Failure> {
        let wanted = self.announced.strategies.iter().find(|(id, _)| *id == task.strategy);
        let own = fingerprints(self.coordinator.plan());
        let own = own.iter().find(|(id, _)| *id == task.strategy);
        let (what, hint) = if own.is_none() || wanted != own {
            (
                format!("run {} uses another definition of {}", self.run_id, task.strategy),
                "start the worker with the definitions, variables and version of the run",
            )
        } else if self.announced.origin.as_ref().is_some_and(|wanted| wanted != origin) {
            (
                format!("run {} reads another database", self.run_id),
                "start the worker with the database of the run",
            )
        } else {
            return Ok(());
        };
        Err(Failure::new(FailureKind::Config, what, "").hint(hint))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let (portions, keys) = (*self.portions.get_mut(), *self.keys.get_mut());
        tracing::info!(run_id = self.run_id, portions, keys, "no more portions of this run");
    }
}
