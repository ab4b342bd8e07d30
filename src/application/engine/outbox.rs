//! Batches on their way: written, and verified alone or in a bundle.

use std::collections::BTreeMap;
use std::future::pending;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use super::delivery::{Delivery, Grace};
use super::gathering::Gathering;
use super::in_flight::{Bundle, InFlight};
use crate::application::guards::recheck::Sent;
use crate::application::run_state::options::Options;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;

/// Bundles that are verified at the same time; meanwhile no further batch is read.
const SETTLING: usize = 2;

pub(super) struct Outbox<'a> {
    delivery: &'a Delivery<'a>,
    grace: Grace<'a>,
    in_flight: InFlight<'a>,
    gathering: Gathering,
    /// Bundles of which not all is written.
    waiting: BTreeMap<Bundle, Waiting>,
    settling: FuturesUnordered<BoxFuture<'a, Vec<Sent>>>,
    /// The cache takes nothing more: the run must know it now.
    hurries: bool,
}

#[derive(Default)]
struct Waiting {
    in_flight: usize,
    /// Its last batch has come.
    is_whole: bool,
    sent: Vec<Sent>,
}

impl<'a> Outbox<'a> {
    pub(super) fn new(delivery: &'a Delivery<'a>, options: &Options, grace: Grace<'a>) -> Self {
        Self {
            delivery,
            grace,
            in_flight: InFlight::new(options),
            gathering: Gathering::default(),
            waiting: BTreeMap::new(),
            settling: FuturesUnordered::new(),
            hurries: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.waiting.is_empty() && self.settling.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_flight.has_room() && self.settling.len() < SETTLING
    }

    /// Whether it waits for the cache, and not for the database.
    pub(super) fn is_writing(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Begins to write a batch, which may be empty.
    pub(super) fn send(&mut self, batch: EntryBatch) {
        let bundle = self.bundle_of(&batch);
        if let Some((bundle, is_last)) = bundle {
            let waiting = self.waiting.entry(bundle).or_default();
            waiting.in_flight += usize::from(!batch.is_empty());
            waiting.is_whole |= is_last;
        }
        if !batch.is_empty() {
            let bytes = batch.bytes();
            let delivered = self.delivery.deliver(batch, bundle.is_none(), self.grace.clone());
            self.in_flight.push(bytes, bundle.map(|(bundle, _)| bundle), delivered.boxed());
        }
    }

    /// What a batch is verified with, and whether it is the last of that; `None`: it is verified alone.
    fn bundle_of(&mut self, batch: &EntryBatch) -> Option<(Bundle, bool)> {
        if batch.done.is_some() {
            return None;
        }
        if let Some((from, is_last)) = self.delivery.portion_of(batch) {
            return Some((Bundle::Portion(from), is_last));
        }
        self.gathering.learn(self.delivery.last_lookup()?);
        let (number, is_full) = self.gathering.add(batch)?;
        Some((Bundle::Group(number), is_full))
    }

    /// Batches of which all is known, perhaps none. `is_end`: no further batch is sent, so that the
    /// rest of a bundle will not come.
    ///
    /// # Errors
    /// Why a batch was not sent.
    pub(super) async fn next(&mut self, is_end: bool) -> Result<Vec<Sent>, Failure> {
        self.settle(is_end && self.in_flight.is_empty());
        tokio::select! {
            Some(settled) = self.settling.next(), if !self.settling.is_empty() => Ok(settled),
            Some((bundle, delivered)) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                let sent = delivered?;
                let Some(bundle) = bundle else {
                    return Ok(vec![sent]);
                };
                let waiting = self.waiting.entry(bundle).or_default();
                waiting.in_flight = waiting.in_flight.saturating_sub(1);
                self.hurries |= sent.written.fatal.is_some();
                waiting.sent.push(sent);
                Ok(Vec::new())
            }
            else => {
                // The rest of a bundle is still to come.
                if !is_end {
                    pending::<()>().await;
                }
                Ok(Vec::new())
            }
        }
    }

    /// Begins to verify the bundles that are written, or all that are left.
    fn settle(&mut self, all: bool) {
        if let Some(group) = self.gathering.take_old() {
            self.waiting.entry(Bundle::Group(group)).or_default().is_whole = true;
        }
        let all = all || self.hurries;
        let is_due = |w: &Waiting| all || (w.is_whole && w.in_flight == 0);
        for (_, waiting) in self.waiting.extract_if(.., |_, waiting| is_due(waiting)) {
            if !waiting.sent.is_empty() {
                let settled = self.delivery.settle(waiting.sent, self.grace.clone());
                self.settling.push(settled.boxed());
            }
        }
    }
}
