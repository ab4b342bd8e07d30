//! Results, for people and machines, in any of the five forms.

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
