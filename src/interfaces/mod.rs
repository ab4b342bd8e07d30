//! What people and machines touch.

pub mod cli;
pub mod exit;

mod document;
mod github;
mod output;
mod progress;
mod report;
