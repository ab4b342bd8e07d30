//! One of a server's connections, shared by several batches.

use std::time::Instant;

use redis::aio::MultiplexedConnection;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

const ALL_TURNS: u32 = 1 << 20;

pub(super) struct Line {
    pub link: Mutex<Link>,
    /// A batch takes one turn. One that was lost before takes all: if it is what breaks the
    /// connection, no other batch is on it.
    turns: Semaphore,
}

#[derive(Default)]
pub(super) struct Link {
    pub connection: Option<MultiplexedConnection>,
    /// Counts the connections, so that a broken one is thrown away once.
    generation: u64,
    /// When an attempt to connect failed last.
    pub failed: Option<Instant>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            link: Mutex::default(),
            turns: Semaphore::new(ALL_TURNS as usize),
        }
    }
}

impl Line {
    /// A turn; a suspect gets a new connection for itself.
    pub(super) async fn turn(&self, suspect: bool) -> Option<SemaphorePermit<'_>> {
        let turns = if suspect { ALL_TURNS } else { 1 };
        // Never closed, so never refused.
        let turn = self.turns.acquire_many(turns).await.ok();
        if suspect {
            // A line that nobody used for long may be as dead as the one before.
            self.link.lock().await.connection = None;
        }
        turn
    }

    /// Throws a connection away, unless that was done already.
    pub(super) async fn broke(&self, generation: u64) {
        let mut link = self.link.lock().await;
        if link.generation == generation {
            link.connection = None;
        }
    }
}

impl Link {
    /// The open connection and its number.
    pub(super) fn open(&self) -> Option<(MultiplexedConnection, u64)> {
        Some((self.connection.clone()?, self.generation))
    }

    pub(super) fn set(&mut self, new: MultiplexedConnection) -> (MultiplexedConnection, u64) {
        self.generation += 1;
        self.connection = Some(new.clone());
        (new, self.generation)
    }
}
