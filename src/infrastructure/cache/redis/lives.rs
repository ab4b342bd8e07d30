//! What was seen of the primaries' lives.

use std::collections::HashMap;
use std::sync::Arc;

use super::node::Node;

#[derive(Default)]
pub(super) struct Past {
    /// Nodes that were replaced, restarted or lost.
    pub losses: u64,
    /// Primaries by id, as they were last seen.
    pub lives: HashMap<String, Life>,
}

/// A primary as it was last seen.
pub(super) struct Life {
    pub node: Arc<Node>,
    incarnation: u64,
    /// It has not answered since.
    silent: bool,
}

impl Past {
    /// Takes what a primary says of itself, if it does.
    pub(super) fn see(&mut self, id: String, node: &Arc<Node>, now: Option<u64>) {
        let Some(life) = self.lives.get_mut(&id) else {
            if let Some(incarnation) = now {
                let node = Arc::clone(node);
                let life = Life {
                    node,
                    incarnation,
                    silent: false,
                };
                self.lives.insert(id, life);
            }
            return;
        };
        let is_lost = match now {
            Some(incarnation) => incarnation != life.incarnation,
            // A node that comes back as it was is not lost twice.
            None => !life.silent,
        };
        life.incarnation = now.unwrap_or(life.incarnation);
        life.silent = now.is_none();
        self.losses += u64::from(is_lost);
    }
}
