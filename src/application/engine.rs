//! The engine: the coordinator's story, and the parts that it tells.

pub mod coordinator;
pub mod delivery;
mod expected;
pub mod flow;
mod gathering;
mod in_flight;
pub mod inspect;
mod interrupted;
mod outbox;
mod protection;
mod streams;
