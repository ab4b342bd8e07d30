//! A random choice from a stream that is too long to hold.

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;

/// At most `size` entries of a stream, each with the same chance; the same `seed` chooses the same.
/// Failed and absent keys all pass.
pub(super) fn sampled(
    mut entries: BoxStream<'_, Result<EntryBatch, Failure>>,
    size: usize,
    seed: u64,
) -> BoxStream<'_, Result<EntryBatch, Failure>> {
    stream::once(async move {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut seen = 0_u64;
        let mut chosen: Vec<EntryBatch> = Vec::new();
        let mut rest = EntryBatch::default();
        while let Some(mut batch) = entries.try_next().await? {
            rest.failed.append(&mut batch.failed);
            rest.absent.append(&mut batch.absent);
            for entry in batch.iter() {
                seen += 1;
                // The n-th stays with a chance of size/n, in the place of any of those before.
                let place = match chosen.len() {
                    held if held < size => {
                        chosen.push(EntryBatch::default());
                        held
                    }
                    _ => random.u64(..seen) as usize,
                };
                if let Some(slot) = chosen.get_mut(place) {
                    *slot = EntryBatch::default();
                    slot.push(entry);
                }
            }
        }
        Ok::<_, Failure>((chosen, rest))
    })
    .map_ok(|(chosen, rest)| {
        let mut batches = vec![rest];
        for chunk in chosen.chunks(BATCH) {
            let mut batch = EntryBatch::default();
            chunk.iter().flat_map(EntryBatch::iter).for_each(|entry| batch.push(entry));
            batches.push(batch);
        }
        stream::iter(batches.into_iter().map(Ok))
    })
    .try_flatten()
    .boxed()
}

/// Entries handed on together.
const BATCH: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(size: usize, seed: u64) -> Vec<Vec<u8>> {
        let batches = (0..40_u32).map(|batch| {
            let mut entries = EntryBatch::default();
            for i in 0..50 {
                let key = format!("{}", batch * 50 + i).into_bytes();
                let push = entries.push_text(&key, |_| Ok::<(), std::convert::Infallible>(()));
                assert!(push.is_ok());
            }
            Ok(entries)
        });
        let sample = sampled(stream::iter(batches).boxed(), size, seed);
        let batches: Vec<EntryBatch> =
            futures_util::FutureExt::now_or_never(sample.try_collect::<Vec<_>>())
                .expect("nothing waits")
                .expect("nothing fails");
        let keys = batches.iter().flat_map(EntryBatch::iter);
        keys.map(|entry| entry.key.to_vec()).collect()
    }

    #[test]
    fn a_sample_is_random_and_the_same_for_a_seed() {
        let chosen = keys(200, 7);
        assert_eq!(chosen, keys(200, 7));
        assert_ne!(chosen, keys(200, 8));
        let numbers: std::collections::BTreeSet<u32> = chosen
            .iter()
            .map(|key| String::from_utf8_lossy(key).parse().expect("a number"))
            .collect();
        assert_eq!(numbers.len(), 200, "each once");
        // Of 2,000 in order, a fair choice takes about half of its keys from either half.
        let low = numbers.iter().filter(|n| **n < 1000).count();
        assert!((60..140).contains(&low), "{low}");
        assert_eq!(keys(5000, 1).len(), 2000);
    }
}
