//! Batches on their way to the cache.

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use futures_util::{FutureExt as _, StreamExt as _};

use crate::application::guards::recheck::Sent;
use crate::application::run_state::options::Options;
use crate::domain::failure::Failure;

/// Bytes in flight at most, however many batches that is: flat memory for large values too.
const MAX_BYTES: usize = 3 * 1024 * 1024;

/// What became of a batch, or why none of it was sent.
pub(super) type Delivered = Result<Sent, Failure>;

/// Batches that are verified together: a portion by where it begins, or a group by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bundle {
    Portion(u64),
    Group(u64),
}

type Delivery<'a> = BoxFuture<'a, (usize, Option<Bundle>, Delivered)>;

/// Batches in flight: at most `max`, of at most [`MAX_BYTES`] together.
pub(super) struct InFlight<'a> {
    batches: Batches<'a>,
    bytes: usize,
    max: usize,
}

enum Batches<'a> {
    AsTheyCome(FuturesUnordered<Delivery<'a>>),
    InOrder(FuturesOrdered<Delivery<'a>>),
}

impl<'a> InFlight<'a> {
    pub(super) fn new(options: &Options) -> Self {
        let batches = match options.lists_keys {
            true => Batches::InOrder(FuturesOrdered::new()),
            false => Batches::AsTheyCome(FuturesUnordered::new()),
        };
        Self { batches, bytes: 0, max: options.concurrency }
    }

    /// Adds a batch that is being delivered, and its size.
    pub(super) fn push(
        &mut self,
        bytes: usize,
        bundle: Option<Bundle>,
        delivery: BoxFuture<'a, Delivered>,
    ) {
        self.bytes += bytes;
        let delivery = delivery.map(move |delivered| (bytes, bundle, delivered)).boxed();
        match &mut self.batches {
            Batches::AsTheyCome(all) => all.push(delivery),
            Batches::InOrder(all) => all.push_back(delivery),
        }
    }

    fn len(&self) -> usize {
        match &self.batches {
            Batches::AsTheyCome(all) => all.len(),
            Batches::InOrder(all) => all.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < self.max && self.bytes < MAX_BYTES
    }

    pub(super) async fn next(&mut self) -> Option<(Option<Bundle>, Delivered)> {
        let next = match &mut self.batches {
            Batches::AsTheyCome(all) => all.next().await,
            Batches::InOrder(all) => all.next().await,
        };
        let (bytes, bundle, delivered) = next?;
        self.bytes -= bytes;
        Some((bundle, delivered))
    }
}
