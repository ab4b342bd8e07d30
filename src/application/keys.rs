//! Which keys are ours: what runs leave of the keys that they write, and what is done with it.

pub mod chunk;
pub mod leave;
pub mod manifest;
pub mod orphans;
pub mod pile;
pub mod probe;
pub mod prune;
pub mod recorder;
pub mod removal;
pub mod usage;
