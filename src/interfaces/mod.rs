//! Command line, admin API, page and reports.

pub mod admin;
pub mod cli;
pub mod exit;

mod github;
mod log;
mod output;
pub mod process;
mod progress;
mod report;
mod signals;
