//! Runs as everybody starts them: one at a time for each context, recorded, and watched.

mod leave;
pub mod live;
pub mod lock;
pub mod refused;
pub mod run;
pub mod service;
