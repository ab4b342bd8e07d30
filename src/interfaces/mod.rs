//! What people and machines touch.

pub mod admin;
pub mod cli;
pub mod exit;

mod github;
mod log;
mod output;
mod progress;
mod report;
