//! A run under way: what it is to do, and what it has done so far. Its parts share this and nothing
//! else.

pub mod book;
pub mod context;
pub mod event;
pub mod lookup;
pub mod options;
pub mod passes;
pub mod plan;
mod sample;
pub mod stop;
pub mod tally;
