//! A line in a list of keys.

use std::time::Duration;

use super::words::{NONE, bytes};
use crate::domain::key::printable;
use crate::domain::standing::{Held, Standing};
use crate::domain::strategy::StrategyId;
use crate::domain::wording::seconds;

/// Max length of a key in tables.
pub(super) const SHOWN_KEY: usize = 1000;

/// A key and its state.
pub(super) struct Line<'a> {
    pub strategy: &'a StrategyId,
    pub key: &'a [u8],
    pub standing: Option<&'a Standing>,
    pub state: &'static str,
}

impl Line<'_> {
    pub(super) fn held(&self) -> Option<&Held> {
        match self.standing {
            Some(Standing::Held(held)) => Some(held),
            _ => None,
        }
    }

    /// Whole seconds; -1: never expires, as in Redis.
    pub(super) fn ttl_seconds(&self) -> Option<i64> {
        let whole = |ttl: Duration| i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        self.held().map(|held| held.ttl.map_or(-1, whole))
    }

    pub(super) fn columns(&self, key: &str, width: Option<usize>) -> String {
        let (held, none) = (self.held(), || NONE.to_owned());
        let ttl =
            held.map_or_else(none, |held| held.ttl.map_or_else(|| "never".to_owned(), time_left));
        let size = bytes(held.and_then(|held| held.bytes));
        let kind = held.map_or(NONE, |held| held.kind.name());
        row([self.state, &ttl, &size, kind, key], width)
    }
}

/// Cells in columns; in a narrow terminal those that leave room for the key.
pub(super) fn row([state, ttl, size, kind, key]: [&str; 5], width: Option<usize>) -> String {
    match width {
        Some(..70) => format!("{state:<10}  {key}\n"),
        _ => format!("{state:<10}  {ttl:>8}  {size:>10}  {kind:<7}  {key}\n"),
    }
}

/// A TTL in its two largest units.
pub(super) fn time_left(ttl: Duration) -> String {
    match ttl.as_secs() {
        0 => seconds(ttl),
        s @ 1..60 => format!("{s} s"),
        s @ 60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        s @ 3600..86_400 => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
        s => format!("{}d {:02}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Whether a key can be printed unescaped on one line. Fast for ordinary keys.
pub(super) fn is_plain(key: &[u8]) -> bool {
    let is_ascii = || key.iter().all(|byte| (b' '..=b'~').contains(byte));
    key.len() <= SHOWN_KEY && (is_ascii() || printable(key).as_bytes() == key)
}
