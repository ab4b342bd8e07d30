//! What people and machines touch.

pub mod admin;
pub mod cli;
pub mod exit;

mod document;
mod forecast;
mod github;
mod keys;
mod log;
mod looked;
mod notes;
mod output;
mod progress;
mod report;
mod verification;
