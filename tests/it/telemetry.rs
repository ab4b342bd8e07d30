//! Traces, as a collector gets them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::support::lab::{Lab, SHIPPED};
use crate::support::servers::{Dialect, free_port};
use crate::support::shopwarm::Shopwarm;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A collector that takes everything: each request with its first line and its body.
struct Collector {
    port: u16,
    requests: Receiver<(String, Vec<u8>)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Some(request) = take(&mut stream) {
                        // Before the answer: who has it may look at once.
                        let _ = sender.send(request);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        let _ = stream.get_mut().write_all(answer);
                    }
                });
            }
        });
        Self { port, requests }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The spans that came, once the process that sent them has ended.
    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for (line, body) in self.requests.try_iter() {
            assert_eq!(line, "POST /v1/traces HTTP/1.1");
            spans.extend(all_spans(&body));
        }
        spans
    }
}

/// Reads a request.
fn take(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let mut lower = lines.iter().map(|line| line.to_lowercase());
        lower.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    assert_eq!(header("content-type:").as_deref(), Some("application/x-protobuf"));
    let length = header("content-length:").expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).ok()?;
    Some((lines[0].clone(), body))
}

/// A span, as far as it matters here.
#[derive(Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    attributes: BTreeMap<String, String>,
    /// Of the process.
    resource: BTreeMap<String, String>,
}

/// The fields of a Protocol Buffers message that are messages, texts or bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    fn number(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = message.split_first().expect("a number");
            *message = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = number(&mut message);
        let length = match tag & 7 {
            0 => {
                number(&mut message);
                continue;
            }
            1 => 8,
            2 => number(&mut message) as usize,
            5 => 4,
            kind => panic!("no field is of kind {kind}"),
        };
        let (field, rest) = message.split_at(length);
        message = rest;
        if tag & 7 == 2 {
            found.push((tag >> 3, field));
        }
    }
    found
}

fn of(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    let fields = fields(message).into_iter();
    fields.filter(move |(n, _)| *n == number).map(|(_, field)| field)
}

fn attributes(message: &[u8], number: u64) -> BTreeMap<String, String> {
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let pair = |pair: &[u8]| {
        let value = of(pair, 2).next().unwrap_or_default();
        (text(of(pair, 1).next()), text(of(value, 1).next()))
    };
    of(message, number).map(pair).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of an export request, by the numbers of OpenTelemetry's `trace.proto`.
fn all_spans(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in of(request, 1) {
        let resource = of(group, 1).next().expect("a resource");
        for span in of(group, 2).flat_map(|scope| of(scope, 2)) {
            let bytes = |number| of(span, number).next().unwrap_or_default();
            spans.push(Span {
                trace: hex(bytes(1)),
                id: hex(bytes(2)),
                parent: hex(bytes(4)),
                name: String::from_utf8_lossy(bytes(5)).into_owned(),
                attributes: attributes(span, 9),
                resource: attributes(resource, 1),
            });
        }
    }
    spans
}

trait Traced {
    fn traced(self, collector: &Collector) -> Self;
}

impl Traced for Shopwarm {
    fn traced(self, collector: &Collector) -> Self {
        self.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
    }
}

#[test]
fn a_run_is_a_trace_with_a_span_for_each_strategy() {
    let (lab, collector) = (Lab::shop(Dialect::Postgres), Collector::start());
    let run = lab.command("warmup all -o json").traced(&collector).run().expect(0);
    assert_eq!(run.json()["outcome"], "complete");
    let spans = collector.spans();
    let runs: Vec<&Span> = spans.iter().filter(|span| span.name == "run").collect();
    let [root] = runs.as_slice() else { panic!("{spans:#?}") };
    assert_eq!(root.parent, "");
    assert_eq!(root.attributes["run_id"], run.json()["run_id"]);
    assert_eq!(root.attributes["command"], "warmup all");
    assert_eq!(root.resource["service.name"], "shopwarm");
    assert_eq!(root.resource["service.version"], env!("CARGO_PKG_VERSION"));
    let strategies = spans.iter().filter(|span| span.name == "strategy");
    let mut ids: Vec<&str> = strategies
        .map(|span| {
            assert_eq!((&span.trace, &span.parent), (&root.trace, &root.id));
            span.attributes["id"].as_str()
        })
        .collect();
    ids.sort_unstable();
    let mut all = SHIPPED;
    all.sort_unstable();
    assert_eq!(ids, all);
    // No secret is told to whoever collects.
    let told = format!("{spans:?}");
    assert!(!told.contains("shop-secret"), "{told}");
}

#[test]
fn a_run_is_part_of_the_trace_that_called_it() {
    let (lab, collector) = (Lab::shop(Dialect::Sqlite), Collector::start());
    let run = |parent: &str| {
        let run = lab.command("warmup context identity").traced(&collector);
        let run = run.env("OTEL_SERVICE_NAME", "nightly").env("TRACEPARENT", parent);
        run.run().expect(0);
        let spans = collector.spans();
        spans.into_iter().find(|span| span.name == "run").expect("a run")
    };
    let called = run(&format!("00-{TRACE}-{CALLER}-01"));
    assert_eq!((called.trace.as_str(), called.parent.as_str()), (TRACE, CALLER));
    assert_eq!(called.resource["service.name"], "nightly");
    assert_eq!(run("nonsense").parent, "");
}

#[test]
fn a_failed_run_is_sent_too_and_where_nothing_is_named_nothing_is_sent() {
    let (lab, collector) = (Lab::shop(Dialect::Sqlite), Collector::start());
    let fails = lab.command("warmup all").cache("redis://127.0.0.1:1").traced(&collector);
    fails.run().expect(6);
    assert_eq!(collector.spans().len(), 1);
    let silent = lab.command("warmup context identity -o json");
    let run = silent.env("OTEL_SERVICE_NAME", "x").run().expect(0);
    let off = lab.command("warmup context identity -o json").traced(&collector);
    off.env("OTEL_SDK_DISABLED", "true").run().expect(0);
    assert!(!run.stderr.contains("traces"), "{}", run.stderr);
    assert_eq!(collector.spans().len(), 0);
}

#[test]
fn a_collector_that_is_gone_costs_a_warning() {
    let lab = Lab::shop(Dialect::Sqlite);
    let run = |name: &str, url: String| {
        let asked = Instant::now();
        let run = lab.command("warmup context identity -o json -q").env(name, url).run().expect(0);
        assert_eq!(run.json()["outcome"], "complete");
        assert!(run.stderr.contains("warning: traces are not exported"), "{}", run.stderr);
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
        assert!(asked.elapsed() < Duration::from_secs(40));
    };
    let gone = format!("http://me:secret@127.0.0.1:{}", free_port());
    run("OTEL_EXPORTER_OTLP_ENDPOINT", gone);
    run("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://me:secret@[nonsense".to_owned());
    // One that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    run("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://me:secret@127.0.0.1:{port}"));
}
