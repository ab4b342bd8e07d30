//! Finds the best way to do something that the servers allow.

use std::sync::atomic::{AtomicUsize, Ordering};

/// An index into the ways, best first. A refused way is not tried again.
#[derive(Default)]
pub(super) struct Ways(AtomicUsize);

impl Ways {
    pub(super) fn current(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn is_refused(&self, at: usize) {
        let _ = self.0.compare_exchange(at, at + 1, Ordering::Relaxed, Ordering::Relaxed);
    }
}
