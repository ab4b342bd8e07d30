//! Reports, in any of the five formats.

pub(super) mod difference;
pub(super) mod document;
pub(super) mod dry_run;
pub(super) mod grid;
mod inspected;
pub(super) mod key;
mod key_line;
pub(super) mod keys;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod table;
pub(super) mod value;
pub(super) mod verify;
pub(super) mod words;
