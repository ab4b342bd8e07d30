// What a test prints is shown where it fails.
#![allow(clippy::print_stdout, clippy::print_stderr)]
// A test is read from top to bottom, with what it needs where it is needed.
#![allow(clippy::items_after_statements, clippy::too_many_lines)]
// What tests share is public to all of them.
#![allow(
    unreachable_pub,
    clippy::default_trait_access,
    clippy::implicit_clone,
    clippy::unnecessary_wraps
)]

mod addresses;
mod cache_faults;
mod changed;
mod chaos;
mod clock;
mod cluster;
mod coded;
mod collections;
mod connected;
mod cookbook;
mod definitions;
mod delivery;
mod demo;
mod deploy;
mod doctor;
mod documented;
mod dry_run;
mod embedded;
mod encoded;
mod engine;
mod epoch;
mod faults;
mod foreign;
mod formats;
mod frameworks;
mod guard;
mod harness;
mod help;
mod history;
mod house;
mod identical;
mod init;
mod init_odd;
mod joined;
mod key_ranges;
mod keys;
mod layers;
mod life;
mod local_time;
mod lock;
mod looked_up;
mod matrix;
mod memory;
mod metrics;
mod migration;
mod music;
mod names;
mod namespace;
mod options_page;
mod output;
mod own_keys;
mod pace;
mod packed;
mod page;
mod parameters;
mod passwords;
mod patience;
mod pooler;
mod portions;
mod ports;
mod precision;
mod probe;
mod properties;
mod prune;
mod queries;
mod race;
mod readers;
mod refusals;
mod replaced;
mod resume;
mod roles;
mod rooms;
mod runs;
mod schedule;
mod screens;
mod secrets;
mod sentinel;
mod serve;
mod session_zone;
mod sessions;
mod settings;
mod shapes;
mod shells;
mod signals;
mod snapshots;
mod source_faults;
mod sql_forms;
mod strict;
mod styles;
mod supply;
mod support;
#[cfg(feature = "otel")]
mod telemetry;
mod terminal;
mod tls;
mod tripwires;
mod trusted;
mod truthful;
mod types;
mod unencodable;
mod usage;
mod values;
mod vector;
mod verdict;
mod verify;
mod warmup;
