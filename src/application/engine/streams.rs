//! The strategies' streams, some of them opened before their strategy begins.

use crate::application::ports::Entries;
use crate::application::run_state::plan::RunPlan;

/// One slot per strategy.
pub struct Streams<'a> {
    plan: &'a RunPlan,
    slots: Vec<Slot<'a>>,
    /// Streams that may be open besides the one that is read.
    ahead: usize,
}

enum Slot<'a> {
    Closed,
    Open(Entries<'a>),
    Taken,
}

impl<'a> Streams<'a> {
    /// A run that may not read all opens nothing ahead: it does not know yet how a strategy is read.
    pub fn new(plan: &'a RunPlan) -> Self {
        Self {
            plan,
            slots: plan.strategies.iter().map(|_| Slot::Closed).collect(),
            ahead: match () {
                () if plan.options.changed.on || plan.options.resume.is_some() => 0,
                // They would take workers from the strategy that is read.
                () if plan.options.workers.is_some() => 0,
                () => plan.options.db_concurrency.saturating_sub(1),
            },
        }
    }

    /// The stream of a strategy's selection.
    pub fn take(&mut self, index: usize) -> Entries<'a> {
        match std::mem::replace(&mut self.slots[index], Slot::Taken) {
            Slot::Open(entries) => entries,
            Slot::Closed | Slot::Taken => self.plan.selection(index),
        }
    }

    /// Opens the streams of the next strategies, as many as may be open at once. They read a little
    /// and wait.
    pub fn open_after(&mut self, index: usize) {
        let next = self.slots.iter_mut().enumerate().skip(index + 1);
        let next = next.filter(|(_, slot)| !matches!(slot, Slot::Taken));
        for (index, slot) in next.take(self.ahead) {
            if matches!(slot, Slot::Closed) {
                *slot = Slot::Open(self.plan.selection(index));
            }
        }
    }

    /// Ends the stream of a strategy that is not read after all.
    pub fn drop(&mut self, index: usize) {
        self.slots[index] = Slot::Taken;
    }

    /// Ends all streams that wait.
    pub fn close(&mut self) {
        for slot in &mut self.slots {
            *slot = Slot::Taken;
        }
    }
}
