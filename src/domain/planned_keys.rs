//! Keys that a run has made, remembered by their hashes.

use std::collections::HashSet;
use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

/// Keys that are remembered, at about 10 bytes each: as many as fit into a table of 2^20.
const MAX_KEYS: usize = 900_000;

/// Keys that are known to have a row and need not be asked for. Memory is fixed: what is not
/// remembered is asked for.
#[derive(Default)]
pub struct PlannedKeys {
    hashes: HashSet<u64>,
    hasher: FixedState,
}

impl PlannedKeys {
    pub fn insert(&mut self, key: &[u8]) {
        if self.hashes.len() < MAX_KEYS {
            self.hashes.insert(self.hasher.hash_one(key));
        }
    }

    /// Whether keys may be missing that were inserted.
    pub fn is_full(&self) -> bool {
        self.hashes.len() >= MAX_KEYS
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        self.hashes.contains(&self.hasher.hash_one(key))
    }
}
