//! Reading only what changed.
//!
//! The result is that of a full run, with less reading. Unchanged keys of an earlier run (its
//! *key manifest*) get a fresh TTL, changed or missing keys are loaded and written, and keys that
//! have left the selection are removed. If anything does not add up, the run reads everything and
//! reports why.

mod baseline;
mod keys;
mod refresh;
mod reload;
mod rows;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::application::ports::{Ask, ChangeScan};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
pub use baseline::ChangedOnly;
use keys::Keys;
use reload::{Reload, Sender, Stop, send};
use rows::Rows;

/// Batches that wait for the engine.
const READ_AHEAD: usize = 2;

impl Reload {
    /// The entries to write; everything else happens while the stream is read. Dropping it ends the
    /// work.
    pub(crate) fn entries(self) -> BoxStream<'static, Result<EntryBatch, Failure>> {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let mut working = JoinSet::new();
        working.spawn(async move { self.work(&sender).await });
        stream::unfold((receiver, working), |(mut receiver, mut working)| async move {
            if let Some(batch) = receiver.recv().await {
                return Some((batch, (receiver, working)));
            }
            // If the worker died, say so: the stream must not just end.
            let ended = working.join_next().await?;
            let failure = match ended {
                Ok(Ok(())) => return None,
                Ok(Err(failure)) => failure,
                Err(error) => {
                    Failure::new(FailureKind::Internal, "reading changes failed", error.to_string())
                }
            };
            Some((Err(failure), (receiver, working)))
        })
        .boxed()
    }

    async fn work(&self, out: &Sender) -> Result<(), Failure> {
        let done = match self.baseline.scan {
            ChangeScan::Rows => Rows::new(self).read(out).await,
            ChangeScan::Keys => Keys::new(self).read(out).await,
        };
        let done = match done {
            Err(Stop::Deleted) => {
                self.progress.keys_are_read();
                self.adopter.restart().await;
                Keys::new(self).read(out).await
            }
            done => done,
        };
        let done = match done {
            Err(Stop::Full(why)) => self.read_all(why, out).await,
            done => done,
        };
        match done {
            Ok(()) | Err(Stop::Unwanted) => Ok(()),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Full(why)) => {
                let what = "reading everything failed";
                Err(Failure::new(FailureKind::Query, what, why))
            }
            Err(Stop::Deleted) => {
                let what = "reading changes failed";
                let why = "rows disappear while their keys are read";
                Err(Failure::new(FailureKind::Internal, what, why))
            }
        }
    }

    /// Starts over and reads everything; what was removed had to go anyway.
    async fn read_all(&self, why: String, out: &Sender) -> Result<(), Stop> {
        tracing::info!(id = %self.strategy.spec().id, why, "reading everything");
        self.progress.all_is_read(why);
        self.adopter.restart().await;
        let mut entries =
            self.strategy.entries(Ask::all(None).batch_size(self.batch_size).in_portions());
        while let Some(batch) = entries.next().await {
            // Here the failure's kind decides, as in a full run.
            let batch = batch.map_err(Stop::Failed)?;
            send(out, batch).await?;
        }
        Ok(())
    }
}
