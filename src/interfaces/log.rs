//! Logs as text or JSON, and traces if they are built in.

use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

#[cfg(feature = "otel")]
use super::output::note;
use super::output::{LogFormat, Output, log_writer};
#[cfg(feature = "otel")]
use crate::setup::Traces;

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The log, and the traces, of this process.
#[must_use]
pub(super) struct Log {
    #[cfg(feature = "otel")]
    traces: Option<Traces>,
}

/// Starts the log if a format is set, and traces if a collector is configured.
pub(super) fn start(format: Option<LogFormat>, output: &Output) -> Log {
    let mut layers: Vec<BoxedLayer> = Vec::new();
    layers.extend(format.map(|format| lines(format, output)));
    #[cfg(feature = "otel")]
    let traces = Traces::from_environment().unwrap_or_else(|why| {
        not_exported(why);
        None
    });
    #[cfg(feature = "otel")]
    layers.extend(traces.as_ref().map(Traces::layer));
    if !layers.is_empty() {
        // Set once per process.
        let _ = tracing_subscriber::registry().with(layers).try_init();
    }
    Log {
        #[cfg(feature = "otel")]
        traces,
    }
}

impl Log {
    /// Sends the remaining spans.
    pub(super) fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(Err(why)) = self.traces.map(Traces::end) {
            not_exported(why);
        }
    }
}

#[cfg(feature = "otel")]
fn not_exported(why: &str) {
    note(&format!("warning: traces are not exported: {why}\n"));
}

/// Everything, or only warnings and errors with `--quiet`.
fn lines(format: LogFormat, output: &Output) -> BoxedLayer {
    let level = match (output.quiet, output.verbose) {
        (true, _) => LevelFilter::WARN,
        (_, true) => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    // Only our own: logs of libraries may contain secrets. Spans name the run and the strategy of every event.
    let wanted = filter_fn(move |meta| {
        let is_ours = meta.target().starts_with("shopwarm");
        is_ours && (meta.is_span() || *meta.level() <= level)
    });
    let lines = match format {
        LogFormat::Text => {
            fmt::layer().with_writer(log_writer).with_target(false).with_ansi(false).boxed()
        }
        LogFormat::Json => fmt::layer()
            .with_writer(log_writer)
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_span_list(true)
            .with_current_span(false)
            .boxed(),
    };
    lines.with_filter(wanted).boxed()
}
