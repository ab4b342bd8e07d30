//! Restarts and losses of primaries.

use std::collections::HashMap;
use std::sync::Arc;

use super::node::Node;

#[derive(Default)]
pub(super) struct Past {
    /// Nodes that were replaced, restarted or lost.
    pub losses: u64,
    /// Primaries by id.
    pub lives: HashMap<String, Life>,
}

/// The last state of a primary.
pub(super) struct Life {
    pub node: Arc<Node>,
    incarnation: u64,
    /// It no longer answers.
    silent: bool,
}

impl Past {
    /// Records a primary's state.
    pub(super) fn see(&mut self, id: String, node: &Arc<Node>, now: Option<u64>) {
        let Some(life) = self.lives.get_mut(&id) else {
            if let Some(incarnation) = now {
                let node = Arc::clone(node);
                let life = Life { node, incarnation, silent: false };
                self.lives.insert(id, life);
            }
            return;
        };
        let is_lost = match now {
            Some(incarnation) => incarnation != life.incarnation,
            // A node that comes back unchanged was counted already.
            None => !life.silent,
        };
        life.incarnation = now.unwrap_or(life.incarnation);
        life.silent = now.is_none();
        self.losses += u64::from(is_lost);
    }
}
