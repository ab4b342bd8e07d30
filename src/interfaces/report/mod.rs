//! Reports, in any of the five formats.

pub mod difference;
pub mod document;
pub mod dry_run;
pub mod grid;
mod inspected;
pub mod key;
mod key_line;
pub mod keys;
pub mod run;
pub mod runs;
pub mod table;
pub mod value;
pub mod verify;
pub mod words;
