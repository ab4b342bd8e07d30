//! What people and machines touch.

pub mod cli;
pub mod exit;

mod document;
mod forecast;
mod github;
mod keys;
mod looked;
mod output;
mod progress;
mod report;
mod verification;
