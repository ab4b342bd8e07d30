//! The vocabulary of a warm-up. No I/O, and nothing of the other layers.

pub mod amount;
pub mod backoff;
pub mod changes;
pub mod completeness;
pub mod counts;
pub mod database;
pub mod digest;
pub mod encode;
pub mod entry;
pub mod expected;
pub mod failure;
pub mod finding;
pub mod gate;
pub mod holder;
pub mod key;
pub mod key_rows;
pub mod meaning;
pub mod nearest;
pub mod percent;
pub mod precision;
pub mod protection;
pub mod redaction;
pub mod report;
pub mod row;
pub mod run;
#[cfg(test)]
pub mod samples;
pub mod server;
pub mod settings_text;
pub mod standing;
pub mod strategy;
pub mod sync;
pub mod ttl;
pub mod verdict;
pub mod version;
pub mod wording;
