//! A collector of traces, which decodes what it is sent by OpenTelemetry's own definitions.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use serde_json::Value;

/// Longest time to wait for spans.
const PATIENCE: Duration = Duration::from_secs(30);

/// A collector on a loopback address. It ends when this is dropped.
pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    is_over: Arc<AtomicBool>,
}

/// A span that a collector was sent.
#[derive(Clone, Debug)]
pub struct SentSpan {
    /// The name.
    pub name: String,
    /// The trace, in hexadecimal digits.
    pub trace: String,
    /// The span's id, in hexadecimal digits.
    pub id: String,
    /// The id of the span above; empty where there is none.
    pub parent: String,
    /// The state of the caller's tracing systems.
    pub state: String,
    /// The kind: 1 for internal, 2 for a server.
    pub kind: i32,
    /// Nanoseconds since 1970.
    pub begun: u64,
    /// Nanoseconds since 1970.
    pub ended: u64,
    /// The attributes.
    pub attributes: BTreeMap<String, Value>,
    /// True when its status is that of an error.
    pub has_failed: bool,
    /// The facts of the service.
    pub resource: BTreeMap<String, Value>,
}

#[derive(Default)]
struct Received {
    spans: Vec<SentSpan>,
    /// Heads and bodies, one after the other.
    bytes: Vec<u8>,
}

impl Collector {
    /// Starts a collector on a free port.
    ///
    /// # Panics
    ///
    /// If the system gives none.
    #[must_use]
    pub fn start() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap(), true)
    }

    /// Starts a collector on this address.
    ///
    /// # Panics
    ///
    /// If another program listens there.
    #[must_use]
    pub fn start_at(address: SocketAddr) -> Self {
        Self::listen(address, true)
    }

    /// Starts a collector that takes requests and never answers.
    ///
    /// # Panics
    ///
    /// If the system gives no port.
    #[must_use]
    pub fn silent() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap(), false)
    }

    fn listen(address: SocketAddr, answers: bool) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let collector = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            is_over: Arc::default(),
        };
        let (received, is_over) = (
            Arc::clone(&collector.received),
            Arc::clone(&collector.is_over),
        );
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let received = Arc::clone(&received);
                std::thread::spawn(move || serve(connection.unwrap(), answers, &received));
            }
        });
        collector
    }

    /// Returns the address for the option `--traces`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for the spans of a trace until they are as they should be, and returns them with the first one first.
    ///
    /// # Panics
    ///
    /// If they do not come.
    #[must_use]
    #[track_caller]
    pub fn trace(&self, trace: &str, is_whole: impl Fn(&[SentSpan]) -> bool) -> Vec<SentSpan> {
        let begun = Instant::now();
        loop {
            let mut spans = self.spans();
            spans.retain(|span| span.trace == trace);
            spans.sort_by_key(|span| (span.begun, std::cmp::Reverse(span.ended)));
            if is_whole(&spans) {
                return spans;
            }
            assert!(begun.elapsed() < PATIENCE, "{spans:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns all spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<SentSpan> {
        self.received().spans.clone()
    }

    /// Returns the bytes of all requests so far, their heads too.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.received().bytes.clone()
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        lock(&self.received)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // The thread that waits for connections looks.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the requests of one connection. A server that is killed breaks it.
fn serve(connection: TcpStream, answers: bool, received: &Mutex<Received>) {
    let mut reader = BufReader::new(connection);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            if !matches!(reader.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        for line in head.to_lowercase().lines() {
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        let mut received = lock(received);
        received.bytes.extend_from_slice(head.as_bytes());
        received.bytes.extend_from_slice(&body);
        received.spans.extend(spans(request));
        drop(received);
        if answers {
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    }
}

fn spans(request: ExportTraceServiceRequest) -> Vec<SentSpan> {
    let mut all = Vec::new();
    for of_resource in request.resource_spans {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        let spans = of_resource.scope_spans.into_iter();
        let spans = spans.flat_map(|of_scope| of_scope.spans);
        all.extend(spans.map(|span| sent(span, &resource)));
    }
    all
}

fn sent(span: Span, resource: &BTreeMap<String, Value>) -> SentSpan {
    let status = span.status.unwrap_or_default();
    assert_eq!(status.message, "", "a status says nothing in words");
    assert!(span.events.is_empty() && span.links.is_empty());
    assert_eq!(span.dropped_attributes_count, 0);
    SentSpan {
        name: span.name,
        trace: hexadecimal(&span.trace_id),
        id: hexadecimal(&span.span_id),
        parent: hexadecimal(&span.parent_span_id),
        state: span.trace_state,
        kind: span.kind,
        begun: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
        attributes: attributes(span.attributes),
        has_failed: status.code == StatusCode::Error as i32,
        resource: resource.clone(),
    }
}

fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, Value> {
    let value = |value: Option<any_value::Value>| match value {
        Some(any_value::Value::StringValue(text)) => text.into(),
        Some(any_value::Value::IntValue(number)) => number.into(),
        Some(any_value::Value::DoubleValue(number)) => number.into(),
        Some(any_value::Value::BoolValue(is_so)) => is_so.into(),
        other => panic!("no attribute has such a value: {other:?}"),
    };
    let count = all.len();
    let all: BTreeMap<_, _> = all
        .into_iter()
        .map(|one| (one.key, value(one.value.and_then(|any| any.value))))
        .collect();
    assert_eq!(all.len(), count, "each attribute comes once");
    all
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
