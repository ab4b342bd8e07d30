//! Traces of runs for an OpenTelemetry collector, over HTTP, configured by OpenTelemetry's
//! variables.

use std::collections::HashMap;
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, ContextGuard, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as Export};
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer;
use tracing_subscriber::{Layer, Registry};

const NAME: &str = "shopwarm";

/// Either one sets the collector's address.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// Timeout for sending the last spans.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeout for threads of the SQLite driver, which hold a run's span while they close their file.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The export of traces.
pub struct Traces {
    provider: SdkTracerProvider,
    open: OpenSpans,
    /// Whether the last export failed.
    refused: Arc<AtomicBool>,
    /// While it lives, spans of this thread belong to the caller's trace.
    _caller: Option<ContextGuard>,
}

impl Traces {
    /// The export, if a collector is configured, for runs that start on this thread.
    ///
    /// # Errors
    /// A variable is not valid.
    pub fn from_environment() -> Result<Option<Self>, &'static str> {
        let named = ENDPOINTS.iter().any(|name| variable(name).is_some());
        let disabled =
            variable("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        if !named || disabled || variable("OTEL_TRACES_EXPORTER").as_deref() == Some("none") {
            return Ok(None);
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .build()
            // The message may contain the address with a password.
            .map_err(
                |_| "the address or another of the OTEL_EXPORTER_OTLP_ variables is not valid",
            )?;
        let refused = Arc::new(AtomicBool::new(false));
        let watched = Watched { exporter, refused: Arc::clone(&refused) };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(watched)
            .with_resource(resource())
            .build();
        Ok(Some(Self {
            provider,
            open: OpenSpans::default(),
            refused,
            _caller: caller().map(Context::attach),
        }))
    }

    /// Exports spans of this program, not of libraries.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(NAME))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .and_then(self.open.clone())
            .with_filter(filter_fn(|meta| meta.target().starts_with(NAME)))
            .with_filter(LevelFilter::INFO)
            .boxed()
    }

    /// Sends the remaining spans.
    ///
    /// # Errors
    /// The collector did not accept them.
    pub fn end(self) -> Result<(), &'static str> {
        self.open.wait_for_none();
        let ended = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT);
        match ended.is_err() || self.refused.load(Ordering::Relaxed) {
            true => Err("the collector did not take them"),
            false => Ok(()),
        }
    }
}

/// How many spans are open: only a closed one is exported.
#[derive(Clone, Default)]
struct OpenSpans(Arc<AtomicUsize>);

impl OpenSpans {
    fn wait_for_none(&self) {
        let since = Instant::now();
        while self.0.load(Ordering::Acquire) > 0 && since.elapsed() < CLOSE_TIMEOUT {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl<S: Subscriber> Layer<S> for OpenSpans {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: layer::Context<'_, S>) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn on_close(&self, _: Id, _: layer::Context<'_, S>) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Records the result of the last batch, which the library hides.
#[derive(Debug)]
struct Watched {
    exporter: SpanExporter,
    refused: Arc<AtomicBool>,
}

impl Export for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        self.refused.store(sent.is_err(), Ordering::Relaxed);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The caller's trace, which CI systems set in `TRACEPARENT`.
fn caller() -> Option<Context> {
    let carrier = HashMap::from([
        ("traceparent".to_owned(), variable("TRACEPARENT")?),
        ("tracestate".to_owned(), variable("TRACESTATE").unwrap_or_default()),
    ]);
    Some(TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier))
}

/// Attributes of all traces of this process.
fn resource() -> Resource {
    let named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|v| v.contains("service.name="));
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if named { resource.build() } else { resource.with_service_name(NAME).build() }
}

/// An empty variable counts as not set.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
