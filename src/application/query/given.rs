//! The keys that a selection has given, in a temporary file where there may be one.

use std::collections::HashSet;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{BufReader, ErrorKind, Read as _, Seek as _, Write as _};

use foldhash::quality::RandomState;

use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;

/// Hashes in memory; the others are in a file.
const IN_MEMORY: usize = 128 * 1024;

/// The hashes of keys.
#[derive(Default)]
pub(super) struct Given {
    hasher: RandomState,
    last: Vec<u64>,
    /// Has no name, and is gone with the process.
    file: Option<File>,
}

impl Given {
    /// Notes the keys of a batch.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn note(&mut self, batch: &EntryBatch) -> Result<(), Failure> {
        let hasher = &self.hasher;
        self.last.extend(batch.iter().map(|entry| hasher.hash_one(entry.key)));
        let others = batch.failed.iter().map(|failed| &failed.key).chain(&batch.absent);
        self.last.extend(others.map(|key| hasher.hash_one(key.as_bytes())));
        match self.last.len() < IN_MEMORY {
            true => Ok(()),
            false => self.write_down().map_err(|error| unusable(&error)),
        }
    }

    fn write_down(&mut self) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => match tempfile::tempfile() {
                Ok(file) => self.file.insert(file),
                Err(error) => {
                    tracing::debug!(%error, "no temporary file: keys are noted in memory");
                    return Ok(());
                }
            },
        };
        let bytes: Vec<u8> = self.last.drain(..).flat_map(u64::to_le_bytes).collect();
        file.write_all(&bytes)
    }

    /// Leaves out of some batches the keys that were given before.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn leave_out(&mut self, batches: &mut [EntryBatch]) -> Result<(), Failure> {
        let hasher = self.hasher.clone();
        let hash = |key: &[u8]| hasher.hash_one(key);
        let mut new: HashSet<u64> = HashSet::new();
        for batch in batches.iter() {
            for entry in batch.iter() {
                new.extend([hash(entry.key), hash(printable(entry.key).as_bytes())]);
            }
            let others = batch.failed.iter().map(|failed| &failed.key).chain(&batch.absent);
            new.extend(others.map(|key| hash(key.as_bytes())));
        }
        let forget = |given| {
            new.remove(&given);
        };
        self.each(forget).map_err(|error| unusable(&error))?;
        for batch in batches {
            batch.failed.retain(|failed| new.contains(&hash(failed.key.as_bytes())));
            batch.absent.retain(|key| new.contains(&hash(key.as_bytes())));
            let is_new = |key: &[u8]| {
                new.contains(&hash(key)) && new.contains(&hash(printable(key).as_bytes()))
            };
            batch.retain(is_new);
        }
        Ok(())
    }

    fn each(&mut self, mut take: impl FnMut(u64)) -> std::io::Result<()> {
        self.last.iter().for_each(|hash| take(*hash));
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.rewind()?;
        let (mut reader, mut bytes) = (BufReader::with_capacity(1 << 16, file), [0; 8]);
        loop {
            match reader.read_exact(&mut bytes) {
                Ok(()) => take(u64::from_le_bytes(bytes)),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn unusable(error: &std::io::Error) -> Failure {
    let what = "the keys that were read cannot be noted in a temporary file";
    Failure::new(FailureKind::Query, what, error.to_string())
        .hint("free some space in the folder for temporary files, or name another one in TMPDIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(keys: std::ops::Range<u32>) -> EntryBatch {
        let mut batch = EntryBatch::default();
        for key in keys {
            let value = |_: &mut Vec<u8>| Ok::<(), std::convert::Infallible>(());
            let Ok(()) = batch.push_text(format!("key:{key}").as_bytes(), value);
        }
        batch
    }

    #[test]
    fn what_was_given_is_left_out_wherever_it_is_noted() {
        let mut given = Given::default();
        let many = u32::try_from(IN_MEMORY).expect("a small number");
        assert!(given.note(&batch(0..many)).is_ok(), "in the file");
        assert!(given.note(&batch(many..many + 10)).is_ok(), "in memory");
        for _ in 0..2 {
            let mut rest = [batch(many - 5..many), batch(many..many + 15)];
            assert!(given.leave_out(&mut rest).is_ok());
            let keys: Vec<&[u8]> = rest.iter().flat_map(EntryBatch::iter).map(|e| e.key).collect();
            assert_eq!(keys, batch(many + 10..many + 15).iter().map(|e| e.key).collect::<Vec<_>>());
        }
    }
}
