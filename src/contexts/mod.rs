//! Policy: what each bounded context warms, a folder each. None sees another.

mod context;
pub mod definitions;
pub mod registry;
pub mod shipped;
pub mod sql;

mod catalog;
mod identity;
mod ordering;
