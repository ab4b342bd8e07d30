//! The command line: what each command does is in a file of its own.

mod again;
mod args;
mod command;
mod complete;
mod config;
mod connect;
mod dispatch;
mod doctor;
mod dry_run;
mod help;
mod init;
mod inspect;
mod keys;
mod man;
mod parse;
pub mod plan;
mod probe;
mod prune;
mod runs;
mod schedule;
mod serve;
mod shell;
mod stdin;
mod strategies;
mod target;
mod tour;
mod usage;
mod verify;
mod warmup;
mod worker;

pub use complete::complete;
pub use dispatch::run;
pub use parse::{command, parse};
