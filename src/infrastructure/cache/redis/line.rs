//! A connection, shared by several batches.

use std::time::Instant;

use redis::aio::MultiplexedConnection;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

const ALL_TURNS: u32 = 1 << 20;

pub(super) struct Line {
    pub link: Mutex<Link>,
    /// A batch takes one permit. A batch that broke a connection takes all, so that it cannot break
    /// others.
    turns: Semaphore,
}

#[derive(Default)]
pub(super) struct Link {
    pub connection: Option<MultiplexedConnection>,
    /// Generation of the connection, so that a broken one is dropped once.
    generation: u64,
    /// When connecting last failed.
    pub failed: Option<Instant>,
}

impl Default for Line {
    fn default() -> Self {
        Self { link: Mutex::default(), turns: Semaphore::new(ALL_TURNS as usize) }
    }
}

impl Line {
    /// How many are under way, roughly.
    pub(super) fn batches(&self) -> usize {
        ALL_TURNS as usize - self.turns.available_permits()
    }

    /// A permit; a suspect batch gets its own new connection.
    pub(super) async fn turn(&self, suspect: bool) -> Option<SemaphorePermit<'_>> {
        let turns = if suspect { ALL_TURNS } else { 1 };
        // The semaphore is never closed.
        let turn = self.turns.acquire_many(turns).await.ok();
        if suspect {
            // A connection that was idle for long may be dead too.
            self.link.lock().await.connection = None;
        }
        turn
    }

    /// Drops a connection, once.
    pub(super) async fn broke(&self, generation: u64) {
        let mut link = self.link.lock().await;
        if link.generation == generation {
            link.connection = None;
        }
    }
}

impl Link {
    /// The open connection and its generation.
    pub(super) fn open(&self) -> Option<(MultiplexedConnection, u64)> {
        Some((self.connection.clone()?, self.generation))
    }

    pub(super) fn set(&mut self, new: MultiplexedConnection) -> (MultiplexedConnection, u64) {
        self.generation += 1;
        self.connection = Some(new.clone());
        (new, self.generation)
    }
}
