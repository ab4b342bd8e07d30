//! Traces of runs for an OpenTelemetry collector, over HTTP. Configured by OpenTelemetry's own
//! variables, as everything else that a collector listens to.

use std::collections::HashMap;
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, ContextGuard, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as Export};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::{Layer, Registry};

const NAME: &str = "shopwarm";

/// Either of them says where the collector is.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// A process does not wait longer for its collector at its end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The export of traces.
pub struct Traces {
    provider: SdkTracerProvider,
    /// The collector did not take the last of them.
    refused: Arc<AtomicBool>,
    /// As long as it lives, what begins on this thread is part of the caller's trace.
    _caller: Option<ContextGuard>,
}

impl Traces {
    /// The export, where a collector is named, for runs that begin on this thread.
    ///
    /// # Errors
    /// What the environment says is not valid.
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
            // Its own words may hold the address, and that a password.
            .map_err(
                |_| "the address or another of the OTEL_EXPORTER_OTLP_ variables is not valid",
            )?;
        let refused = Arc::new(AtomicBool::new(false));
        let watched = Watched {
            exporter,
            refused: Arc::clone(&refused),
        };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(watched)
            .with_resource(resource())
            .build();
        Ok(Some(Self {
            provider,
            refused,
            _caller: caller().map(Context::attach),
        }))
    }

    /// Turns this program's spans into traces; libraries' are left out.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(NAME))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|meta| meta.target().starts_with(NAME)))
            .with_filter(LevelFilter::INFO)
            .boxed()
    }

    /// Sends what has not been sent.
    ///
    /// # Errors
    /// The collector did not take it.
    pub fn end(self) -> Result<(), &'static str> {
        let ended = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT);
        match ended.is_err() || self.refused.load(Ordering::Relaxed) {
            true => Err("the collector did not take them"),
            false => Ok(()),
        }
    }
}

/// Remembers what became of the last batch, which the library keeps to itself.
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

/// The trace that this process was called in, which CI systems tell in `TRACEPARENT`.
fn caller() -> Option<Context> {
    let carrier = HashMap::from([
        ("traceparent".to_owned(), variable("TRACEPARENT")?),
        (
            "tracestate".to_owned(),
            variable("TRACESTATE").unwrap_or_default(),
        ),
    ]);
    Some(TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier))
}

/// What all traces of this process have in common.
fn resource() -> Resource {
    let named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|v| v.contains("service.name="));
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    match named {
        true => resource.build(),
        false => resource.with_service_name(NAME).build(),
    }
}

/// A variable that is set to nothing counts as not set.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
