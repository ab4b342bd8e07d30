//! Finds the strategy that makes a key, and loads the key.

use futures_util::TryStreamExt as _;

use crate::application::ports::{Ask, WarmupStrategy};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::key::KeyTemplate;

/// The index of the template that makes a key; of several, the most specific one.
pub fn maker<'t>(templates: impl Iterator<Item = &'t KeyTemplate>, key: &str) -> Option<usize> {
    let matching = templates.enumerate().filter(|(_, template)| template.makes(key));
    let best = matching.max_by_key(|(_, template)| template.literal_len());
    best.map(|(index, _)| index)
}

/// Loads one key: a batch with its entry, or with why there is none.
///
/// # Errors
/// The database's.
pub async fn load(strategy: &dyn WarmupStrategy, key: &str) -> Result<EntryBatch, Failure> {
    let mut batches = strategy.entries(Ask::named([key.to_owned()]));
    let mut found = EntryBatch::default();
    while let Some(mut batch) = batches.try_next().await? {
        found.failed.append(&mut batch.failed);
        found.absent.append(&mut batch.absent);
        batch.iter().for_each(|entry| found.push(entry));
    }
    Ok(found)
}
