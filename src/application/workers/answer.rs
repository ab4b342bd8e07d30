//! What a worker answers: a line of JSON, and then the keys in a compact form.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::application::guards::recheck::Sent;
use crate::application::keys::chunk::{self, Chunk};
use crate::application::ports::{Checked, ReadPortion, WarmedPortion, WriteOutcome, Written};
use crate::domain::digest::Digest;
use crate::domain::entry::{EntryBatch, KeyError};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::{PartOf, Portion};

/// What became of a portion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub ticket: u64,
    /// Who answers.
    pub worker: String,
    /// Another worker had the portion before, and may have written some of it.
    pub was_lost: bool,
    pub result: Result<Summary, Told>,
}

/// A portion that was read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Summary {
    /// It is too large to be read at once; nothing was written.
    pub is_too_large: bool,
    pub rows: u64,
    pub bytes: u64,
    pub took: Duration,
    batches: Vec<BatchSummary>,
}

/// A batch without its keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct BatchSummary {
    /// Bytes of each chunk of keys.
    chunks: Vec<usize>,
    /// A letter for each key.
    outcomes: String,
    /// The errors of keys that failed or are unknown, in their order.
    errors: Vec<String>,
    stored_bytes: u64,
    failed: Vec<KeyError>,
    absent: Vec<String>,
    warnings: Vec<String>,
    identical: Vec<usize>,
    repaired: u64,
    withdrawn: u64,
    unverified: u64,
    exposure: Duration,
    fatal: Option<Told>,
    failure: Option<Told>,
}

/// A failure as it travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    kind: FailureKind,
    what: String,
    why: String,
    hint: Option<String>,
}

impl From<&Failure> for Told {
    fn from(failure: &Failure) -> Self {
        let Failure { kind, what, why, hint, .. } = failure.clone();
        Self { kind, what, why, hint }
    }
}

impl From<Told> for Failure {
    fn from(Told { kind, what, why, hint }: Told) -> Self {
        Self { hint, ..Self::new(kind, what, why) }
    }
}

impl Answer {
    /// As bytes, with the keys.
    pub(super) fn encode(&self, keys: &[u8]) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(keys);
        bytes
    }

    /// The answer, and the keys that follow it.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let answer = serde_json::from_slice(&bytes[..end]).ok()?;
        Some((answer, &bytes[end + 1..]))
    }
}

impl Summary {
    pub(super) fn too_large() -> Self {
        Self { is_too_large: true, ..Self::default() }
    }

    /// Without its batches.
    pub(super) fn of(read: &ReadPortion) -> Self {
        let ReadPortion { rows, bytes, took, .. } = *read;
        Self { rows, bytes, took, ..Self::default() }
    }

    /// Adds a batch, and its keys to `keys`.
    pub(super) fn add(&mut self, Sent { batch, written, .. }: &Sent, keys: &mut Vec<u8>) {
        let checked = &written.checked;
        let mut summary = BatchSummary {
            failed: batch.failed.clone(),
            absent: batch.absent.clone(),
            warnings: batch.warnings.clone(),
            identical: checked.identical.clone(),
            repaired: checked.repaired,
            withdrawn: checked.withdrawn,
            unverified: checked.unverified,
            exposure: checked.exposure,
            fatal: written.fatal.as_ref().map(Told::from),
            failure: checked.failure.as_ref().map(Told::from),
            ..BatchSummary::default()
        };
        let mut chunk = Chunk::default();
        let mut close = |chunk: &mut Chunk| {
            if chunk.keys() > 0 {
                let bytes = chunk.take();
                summary.chunks.push(bytes.len());
                keys.extend_from_slice(&bytes);
            }
        };
        for (at, entry) in batch.iter().enumerate() {
            let rewritten = checked.rewritten.iter().rev().find(|(index, _)| *index == at);
            let digest = rewritten.map_or_else(|| Digest::of(entry.value), |(_, digest)| *digest);
            chunk.push(entry.key, digest);
            if chunk.is_full() {
                close(&mut chunk);
            }
        }
        close(&mut chunk);
        for (entry, outcome) in batch.iter().zip(&written.outcomes) {
            if *outcome == WriteOutcome::Stored {
                summary.stored_bytes += entry.bytes();
            }
            let (letter, error) = letter(outcome);
            summary.outcomes.push(letter);
            summary.errors.extend(error.map(str::to_owned));
        }
        self.batches.push(summary);
    }

    /// How many keys were written, or left alone on purpose.
    pub(super) fn keys(&self) -> u64 {
        self.batches.iter().map(|batch| batch.outcomes.len() as u64).sum()
    }

    /// Adds warnings about the portion.
    pub(super) fn warn(&mut self, warnings: Vec<String>) {
        if let Some(batch) = self.batches.first_mut() {
            batch.warnings.extend(warnings);
        }
    }

    /// The batches of a portion.
    ///
    /// # Errors
    /// The answer is not whole.
    pub(super) fn warmed(
        self,
        portion: Portion,
        mut keys: &[u8],
    ) -> Result<WarmedPortion, Failure> {
        let last = self.batches.len().saturating_sub(1);
        let mut batches = Vec::with_capacity(self.batches.len());
        for (at, summary) in self.batches.into_iter().enumerate() {
            let mut batch = summary.batch(&mut keys).ok_or_else(not_whole)?;
            batch.part_of = Some(PartOf::Portion { portion, is_last: at == last });
            batches.push(batch);
        }
        let Self { rows, bytes, took, .. } = self;
        Ok(WarmedPortion { rows, bytes, took, batches })
    }
}

impl BatchSummary {
    /// The batch; `None`: keys are missing.
    fn batch(self, keys: &mut &[u8]) -> Option<EntryBatch> {
        let mut batch = EntryBatch::default();
        let mut digests = Vec::new();
        for length in self.chunks {
            let (chunk, rest) = keys.split_at_checked(length)?;
            *keys = rest;
            for recorded in chunk::read(chunk).ok()? {
                digests.push((digests.len(), recorded.digest));
                let Ok(()) =
                    batch.push_text(&recorded.key, |_| Ok::<(), std::convert::Infallible>(()));
            }
        }
        let mut errors = self.errors.into_iter();
        let outcomes = self.outcomes.chars().map(|letter| outcome(letter, &mut errors));
        let outcomes = outcomes.collect::<Option<Vec<_>>>()?;
        if outcomes.len() != batch.len() {
            return None;
        }
        batch.failed = self.failed;
        batch.absent = self.absent;
        batch.warnings = self.warnings;
        batch.done = Some(Box::new(Written {
            fatal: self.fatal.map(Failure::from),
            bytes: Some(self.stored_bytes),
            checked: Checked {
                identical: self.identical,
                repaired: self.repaired,
                rewritten: digests,
                withdrawn: self.withdrawn,
                unverified: self.unverified,
                exposure: self.exposure,
                failure: self.failure.map(Failure::from),
            },
            ..Written::new(outcomes)
        }));
        Some(batch)
    }
}

fn letter(outcome: &WriteOutcome) -> (char, Option<&str>) {
    match outcome {
        WriteOutcome::Stored => ('s', None),
        WriteOutcome::AlreadyPresent => ('p', None),
        WriteOutcome::Withdrawn => ('w', None),
        WriteOutcome::Failed(error) => ('f', Some(error)),
        WriteOutcome::Unknown(error) => ('u', Some(error)),
        WriteOutcome::Inspected(_) => ('u', Some("it was not written")),
    }
}

fn outcome(letter: char, errors: &mut impl Iterator<Item = String>) -> Option<WriteOutcome> {
    Some(match letter {
        's' => WriteOutcome::Stored,
        'p' => WriteOutcome::AlreadyPresent,
        'w' => WriteOutcome::Withdrawn,
        'f' => WriteOutcome::Failed(errors.next()?),
        'u' => WriteOutcome::Unknown(errors.next()?),
        _ => return None,
    })
}

/// Another version of the tool, or somebody else, wrote it.
pub(super) fn not_whole() -> Failure {
    let (what, why) =
        ("a worker's answer cannot be read", "it is from another version of shopwarm");
    Failure::new(FailureKind::Query, what, why).hint("run the same version everywhere")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::domain::portion::TableState;

    fn sent() -> Sent {
        let mut batch = EntryBatch::default();
        for n in 0..5_u8 {
            let value = |out: &mut Vec<u8>| {
                out.extend([n; 10]);
                Ok::<(), std::convert::Infallible>(())
            };
            let Ok(()) = batch.push_text(&[b'k', 0xff, n], value);
        }
        batch.failed = vec![KeyError { key: "row 7".to_owned(), error: "no JSON".to_owned() }];
        batch.absent = vec!["k:9".to_owned()];
        let mut written = Written::new(vec![
            WriteOutcome::Stored,
            WriteOutcome::AlreadyPresent,
            WriteOutcome::Withdrawn,
            WriteOutcome::Failed("OOM".to_owned()),
            WriteOutcome::Unknown("no answer".to_owned()),
        ]);
        written.checked.repaired = 3;
        written.checked.rewritten =
            vec![(0, Digest::of_text(b"older")), (0, Digest::of_text(b"new"))];
        written.checked.failure = Some(Failure::new(FailureKind::Query, "what", "why").hint("do"));
        Sent { batch, written, since: Instant::now() }
    }

    #[test]
    fn a_portion_comes_back_as_it_was() {
        let (sent, mut keys) = (sent(), Vec::new());
        let mut summary = Summary::default();
        summary.add(&sent, &mut keys);
        let answer =
            Answer { ticket: 7, worker: "w".to_owned(), was_lost: false, result: Ok(summary) };
        let bytes = answer.encode(&keys);
        let (answer, keys) = Answer::decode(&bytes).expect("an answer");
        let state = TableState { horizon: 1, next: 2, end: 3, storage: 4 };
        let portion = Portion { from: 0, to: 9, rows: 6, state };
        let summary = answer.result.expect("a summary");
        let warmed = summary.clone().warmed(portion, keys).expect("a portion");
        let batch = &warmed.batches[0];
        let done = batch.done.as_ref().expect("outcomes");
        let names = |batch: &EntryBatch| -> Vec<Vec<u8>> {
            batch.iter().map(|entry| entry.key.to_vec()).collect()
        };
        assert_eq!(names(batch), names(&sent.batch));
        assert_eq!(done.outcomes, sent.written.outcomes);
        assert_eq!(done.bytes, Some(13), "of what was stored");
        assert_eq!((&batch.failed, &batch.absent), (&sent.batch.failed, &sent.batch.absent));
        assert_eq!(done.checked.rewritten[0], (0, Digest::of_text(b"new")));
        assert_eq!(done.checked.rewritten[1].1, Digest::of_text(&[1; 10]));
        assert_eq!(
            (done.checked.repaired, &done.checked.failure),
            (3, &sent.written.checked.failure)
        );
        assert!(summary.warmed(portion, &keys[1..]).is_err(), "keys are missing");
    }
}
