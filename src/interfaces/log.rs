//! Logs of what goes on: lines for people, or JSON for machines.

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use super::output::{Output, log_writer};

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line each
    Text,
    /// A JSON object a line
    Json,
}

/// Starts the log on stderr: what goes on, or only what is wrong where quiet is asked for.
pub fn start(format: LogFormat, output: &Output) {
    let level = match (output.quiet, output.verbose) {
        (true, _) => LevelFilter::WARN,
        (_, true) => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    // Only our own: libraries know too much to be let speak.
    let ours = tracing_subscriber::filter::filter_fn(|meta| meta.target().starts_with("shopwarm"));
    let lines = match format {
        LogFormat::Text => fmt::layer()
            .with_writer(log_writer)
            .with_target(false)
            .with_ansi(false)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .with_writer(log_writer)
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_span_list(true)
            .with_current_span(false)
            .boxed(),
    };
    // Set once a process; a second start is the same log.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(ours).with_filter(level))
        .try_init();
}
