//! The rows of one key on their way to its value.

use crate::application::query::layout::Layout;
use crate::domain::entry::EntryBatch;
use crate::domain::row::Row;

/// The rows of one key on their way to its value.
pub(in crate::application::query) trait Collect: Send {
    /// Takes the next row.
    ///
    /// # Errors
    /// Names the column that does not fit, and why.
    fn add(&mut self, layout: &Layout, row: Row<'_>) -> Result<(), String>;

    /// Appends the entry that the rows make; a collection without parts is an absent key.
    fn push_to(self: Box<Self>, batch: &mut EntryBatch, key: &[u8]);
}

/// Appends a text entry.
pub(super) fn push_text(batch: &mut EntryBatch, key: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
    let pushed = batch.push_text(key, |out| {
        value(out);
        Ok::<(), std::convert::Infallible>(())
    });
    debug_assert!(pushed.is_ok());
}
