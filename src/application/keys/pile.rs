//! Keys in memory, compressed: there may be many.

use super::chunk::{self, Chunk, RecordedKey};

/// Keys in the order in which they were pushed.
#[derive(Debug, Default)]
pub struct Pile {
    chunks: Vec<Vec<u8>>,
    open: Chunk,
}

impl Pile {
    pub fn push(&mut self, key: &RecordedKey) {
        self.open.push(&key.key, key.digest);
        if self.open.is_full() {
            self.chunks.push(self.open.take());
        }
    }

    /// All of them, some at a time.
    pub fn windows(mut self) -> impl Iterator<Item = Vec<RecordedKey>> {
        if self.open.keys() > 0 {
            self.chunks.push(self.open.take());
        }
        // What was written here a moment ago.
        let chunks = self.chunks.into_iter();
        chunks.map(|bytes| chunk::read(&bytes).unwrap_or_default())
    }
}
