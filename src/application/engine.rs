//! The engine: the coordinator's story, and the parts that it tells.

pub mod book;
pub mod context;
pub mod coordinator;
mod delivery;
mod expected;
pub mod flow;
mod in_flight;
pub mod inspect;
mod interrupted;
pub mod options;
pub mod passes;
pub mod plan;
mod protection;
mod sample;
mod streams;
pub mod tally;
