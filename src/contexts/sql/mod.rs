//! Analyses the SQL text of a definition.

pub mod changes;
pub mod clock;
pub mod columns;
pub mod coverage;
pub mod documents;
pub mod driving_table;
mod functions;
mod key_rows;
mod lexer;
pub mod ownership;
pub mod owns;
pub mod parameters;
pub mod parse;
pub mod purity;
pub(super) mod refusal;
pub mod relations;
mod scope;
mod spelling;
mod walk;
pub mod with;
