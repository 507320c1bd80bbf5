//! Traces: spans of requests, as a collector is sent them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ampoule_tests::{
    Collector, Operator, Reply, SentSpan, Served, WrittenBundle, ampoule, ampoule_with_traces,
    assert_fails, json_of, test_guest, workspace_file,
};
use serde_json::{Value, json};

const EMBEDDINGS: &str = "/v1/embeddings";
const CHAT: &str = "/v1/chat/completions";

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running server, while a test holds it.
static RUNNING: Mutex<Weak<Traced>> = Mutex::new(Weak::new());

/// The caller's span in `traceparent`.
const CALLER: &str = "00f067aa0ba902b7";

/// A server of the models `good`, `breaks-off`, `blocks` and `panics`, whose traces go to a collector.
struct Traced {
    served: Served,
    collector: Collector,
    _bundles: Vec<WrittenBundle>,
    _operator: Operator,
}

impl Traced {
    fn get() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start(&[]));
        *running = Arc::downgrade(&server);
        server
    }

    fn start(options: &[&str]) -> Self {
        let (operator, collector) = (Operator::new(), Collector::start());
        let generator = |guest| {
            let bundle = operator.publisher().bundle(test_guest(guest));
            bundle
                .tasks(&["text-generation"])
                .set("/limits/deadline_ms", json!(PATIENCE.as_millis()))
        };
        let panics = operator.publisher().bundle(test_guest("panics"));
        let bundles = [
            ("good", operator.good()),
            ("breaks-off", generator("generation_fails_midway")),
            ("blocks", generator("generation_blocks")),
            ("panics", panics),
        ];
        let bundles = bundles.map(|(name, bundle)| (name, bundle.named(name).write()));
        let mut text = format!("trust = {:?}\n", operator.trust());
        for (name, bundle) in &bundles {
            let path = bundle.path();
            text += &format!(
                "[[model]]\npath = {path:?}\nname = \"{name}\"\naliases = [\"alias-{name}\"]\n"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ampoule.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = ampoule_with_traces();
        command.env("OTEL_BSP_SCHEDULE_DELAY", "20");
        command.arg("--config").arg(file);
        let limits = ["--timeout", "60s", "--idle-timeout", "60s"];
        let traces = ["--traces", &collector.url()];
        let served = Served::start(&mut command, &[&traces[..], &limits, options].concat());
        Self {
            served,
            collector,
            _bundles: bundles.map(|(_, bundle)| bundle).into(),
            _operator: operator,
        }
    }

    /// Posts JSON within a new trace, and returns the answer with the trace.
    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> (Reply, Trace) {
        let (id, parent) = caller("01");
        let headers = [("traceparent", parent.as_str())];
        let body = body.to_string();
        let reply = self.served.post_bytes(path, &headers, body.as_bytes());
        (reply, self.trace(&id))
    }

    /// Waits for a trace whose request is over. The sandboxes' spans are sent before it, or soon after.
    #[track_caller]
    fn trace(&self, id: &str) -> Trace {
        let is_whole = |spans: &[SentSpan]| {
            let sandboxes = spans.iter().filter(|span| span.name == "sandbox").count();
            spans.iter().any(|span| {
                let expected = &span.attributes.get("ampoule.sandboxes");
                let expected = expected.and_then(Value::as_u64).unwrap_or_default();
                span.kind == 2 && sandboxes as u64 >= expected
            })
        };
        let (mut requests, rest): (Vec<_>, Vec<_>) = self
            .collector
            .trace(id, is_whole)
            .into_iter()
            .partition(|span| span.kind == 2);
        assert_eq!(requests.len(), 1, "{requests:#?}");
        let request = requests.remove(0);
        let (queue, rest): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|span| span.name == "queue");
        Trace {
            request,
            queue,
            sandboxes: rest,
        }
    }
}

/// The spans of one request.
#[derive(Debug)]
struct Trace {
    request: SentSpan,
    queue: Vec<SentSpan>,
    sandboxes: Vec<SentSpan>,
}

impl Trace {
    fn below(&self) -> impl Iterator<Item = &SentSpan> {
        self.queue.iter().chain(&self.sandboxes)
    }
}

/// Makes a new trace, and the header that says it with these flags.
fn caller(flags: &str) -> (String, String) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = format!(
        "4bf92f3577b34da6{:016x}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let parent = format!("00-{id}-{CALLER}-{flags}");
    (id, parent)
}

fn embedding(texts: usize) -> Value {
    json!({"model": "alias-good", "input": vec!["one two"; texts]})
}

fn question(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "one two three"}]})
}

#[test]
fn a_request_is_a_span_below_its_callers_with_each_wait_and_each_sandbox_below_it() {
    let traced = Traced::get();
    let (id, parent) = caller("01");
    let headers = [
        ("traceparent", parent.as_str()),
        ("tracestate", "acme=one"),
        ("tracestate", "other=two"),
        ("x-request-id", "my-request"),
    ];
    let body = embedding(40).to_string();
    let path = "/ampoule/v1/models/alias-good/text-embedding";
    let native = json!({"texts": vec!["one two"; 40]}).to_string();
    let reply = traced
        .served
        .post_bytes(path, &headers[..1], native.as_bytes());
    let call = reply.json();
    assert_eq!(reply.status, 200, "{call}");
    let first = traced.trace(&id);
    assert_eq!(
        first.request.name,
        "POST /ampoule/v1/models/{name}/text-embedding"
    );

    let (id, parent) = caller("01");
    let headers = [&[("traceparent", parent.as_str())][..], &headers[1..]].concat();
    let reply = traced
        .served
        .post_bytes(EMBEDDINGS, &headers, body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let trace = traced.trace(&id);
    let request = &trace.request;
    assert_eq!(request.parent, CALLER);
    assert_eq!(request.state, "acme=one,other=two");
    assert_eq!(request.name, "POST /v1/embeddings");
    assert!(!request.has_failed);
    let tokens = reply.json()["usage"]["prompt_tokens"].clone();
    let own = &request.attributes;
    for (name, value) in [
        ("ampoule.family", json!("openai")),
        ("ampoule.outcome", json!("finished")),
        ("ampoule.request.id", json!("my-request")),
        ("gen_ai.operation.name", json!("embeddings")),
        ("gen_ai.provider.name", json!("ampoule")),
        ("gen_ai.request.model", json!("good")),
        ("gen_ai.usage.input_tokens", tokens),
        ("http.request.body.size", json!(body.len())),
        ("http.request.method", json!("POST")),
        ("http.response.body.size", json!(reply.body.len())),
        ("http.response.status_code", json!(200)),
        ("http.route", json!("/v1/embeddings")),
        ("network.peer.address", json!("127.0.0.1")),
        ("network.protocol.version", json!("1.1")),
        ("url.scheme", json!("http")),
    ] {
        assert_eq!(own[name], value, "{name}: {own:?}");
    }
    assert_eq!(
        request.resource["service.name"], "ampoule",
        "{:?}",
        request.resource
    );

    // 40 texts are three sandboxes of 16 at most, or more on a machine with more cores.
    let sandboxes = own["ampoule.sandboxes"].as_u64().unwrap();
    assert!(sandboxes >= 3, "{own:?}");
    assert_eq!(trace.sandboxes.len() as u64, sandboxes);
    assert_eq!(trace.queue.len() as u64, sandboxes);
    for span in trace.below() {
        assert_eq!((&span.parent, span.kind), (&request.id, 1));
        assert!(
            request.begun <= span.begun && span.ended <= request.ended,
            "{trace:#?}"
        );
        assert!(span.begun <= span.ended, "{span:?}");
        assert_eq!(span.attributes["ampoule.model.name"], "good");
        assert_eq!(span.attributes["ampoule.model.release"], 1);
    }
    let of_sandboxes = |name: &'static str| {
        trace
            .sandboxes
            .iter()
            .map(move |span| span.attributes[name].as_u64().unwrap())
    };
    assert!(of_sandboxes("ampoule.fuel").all(|fuel| fuel > 0));
    assert_eq!(
        own["ampoule.fuel"],
        of_sandboxes("ampoule.fuel").sum::<u64>()
    );
    let most = of_sandboxes("ampoule.peak_memory").max();
    assert_eq!(own["ampoule.peak_memory"].as_u64(), most);
    for sandbox in &trace.sandboxes {
        assert_eq!(sandbox.attributes["ampoule.task"], "text-embedding");
        let waited = trace.queue.iter().any(|wait| wait.ended == sandbox.begun);
        assert!(waited, "a sandbox begins when its wait ends: {trace:#?}");
    }
}

#[test]
fn a_stream_is_a_span_to_its_last_byte_with_a_sandbox_for_each_choice() {
    let traced = Traced::get();
    let mut asked = question("good");
    asked["stream"] = json!(true);
    asked["n"] = json!(2);
    let (reply, trace) = traced.post(CHAT, &asked);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let own = &trace.request.attributes;
    assert_eq!(own["ampoule.outcome"], "finished");
    assert_eq!(own["gen_ai.operation.name"], "chat");
    assert_eq!(own["http.response.body.size"], reply.body.len());
    assert!(own["gen_ai.usage.output_tokens"].as_u64() > Some(0));
    let took = (trace.request.ended - trace.request.begun) as f64 / 1e9;
    let first = own["ampoule.time_to_first_token"].as_f64().unwrap();
    assert!(0.0 < first && first <= took, "{first} of {took}");
    assert_eq!((trace.queue.len(), trace.sandboxes.len()), (2, 2));
    for sandbox in &trace.sandboxes {
        assert_eq!(sandbox.parent, trace.request.id);
        assert!(sandbox.ended <= trace.request.ended);
        assert!(
            sandbox.attributes["ampoule.steps"].as_u64() > Some(2),
            "a step for the beginning and for each chunk: {sandbox:?}"
        );
        assert_eq!(sandbox.attributes["ampoule.abandoned"], false);
    }
}

#[test]
fn each_task_of_each_family_has_its_sandboxes_in_the_trace() {
    let traced = Traced::get();
    let messages = &question("good")["messages"];
    let chat = json!({"model": "good", "messages": messages, "stream": false});
    let prompt = json!({"model": "good", "prompt": "a", "stream": false});
    let input = json!({"model": "good", "input": "a"});
    let texts = json!({"name": "texts", "datatype": "BYTES", "shape": [1], "data": ["a"]});
    let pixels =
        json!({"name": "pixels", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [0, 255, 0]});
    let pixel =
        json!({"name": "pixels", "datatype": "UINT8", "shape": [1, 1, 3], "data": [0, 255, 0]});
    let infer =
        |task: &str, input: &Value| json!({"parameters": {"task": task}, "inputs": [input]});
    let native = |task: &str| format!("/ampoule/v1/models/good/{task}");
    let raw = json!({"width": 1, "height": 1, "pixels": "AAAA"});
    let (embedding, generation) = ("text-embedding", "text-generation");
    let (images, classes, tokens) = (
        "image-embedding",
        "image-classification",
        "text-tokenization",
    );
    let infers = "/v2/models/good/infer".to_owned();
    for (path, body, task) in [
        (CHAT.to_owned(), question("good"), generation),
        ("/v1/completions".to_owned(), prompt.clone(), generation),
        ("/v1/responses".to_owned(), input.clone(), generation),
        (EMBEDDINGS.to_owned(), input.clone(), embedding),
        ("/api/chat".to_owned(), chat, generation),
        ("/api/generate".to_owned(), prompt, generation),
        ("/api/embed".to_owned(), input, embedding),
        (infers.clone(), infer(embedding, &texts), embedding),
        (infers.clone(), infer(tokens, &texts), tokens),
        (infers.clone(), infer(images, &pixels), images),
        (infers, infer(classes, &pixel), classes),
        (native(tokens), json!({"texts": ["a"]}), tokens),
        (native(embedding), json!({"texts": ["a"]}), embedding),
        (native(images), json!({"images": [raw]}), images),
        (native(classes), json!({"image": raw}), classes),
        (
            native(generation),
            json!({"messages": messages}),
            generation,
        ),
    ] {
        let (reply, trace) = traced.post(&path, &body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let own = &trace.request.attributes;
        assert_eq!(own["ampoule.sandboxes"], trace.sandboxes.len(), "{path}");
        let of_task = |span: &&SentSpan| span.attributes["ampoule.task"] == task;
        let worked = trace.sandboxes.iter().filter(of_task);
        let mut fuel = worked.map(|span| span.attributes["ampoule.fuel"].as_u64());
        assert!(fuel.any(|fuel| fuel > Some(0)), "{path}: {trace:#?}");
        let operation = match task {
            "text-generation" => json!("chat"),
            "text-embedding" | "image-embedding" => json!("embeddings"),
            _ => Value::Null,
        };
        let said = own.get("gen_ai.operation.name").unwrap_or(&Value::Null);
        assert_eq!(*said, operation, "{path}");
    }
}

#[test]
fn a_malformed_trace_context_is_ignored_and_the_request_answered() {
    let traced = Traced::get();
    let (_, good) = caller("01");
    let id = &good[3..35];
    let long = format!("{good}-{}", "a".repeat(9_000));
    let malformed = [
        "",
        "SECRET",
        "00",
        &good[..54],
        &good.to_uppercase(),
        &good.replacen("00-", "ff-", 1),
        &good.replacen("00-", "0g-", 1),
        &good.replace('-', "_"),
        &format!("{good}-00"),
        &format!("00-{id}-0000000000000000-01"),
        &format!("00-{}-{CALLER}-01", "0".repeat(32)),
        &format!("00-{}-{CALLER}-01", &id[1..]),
        &format!("00-+{}-{CALLER}-01", &id[1..]),
        &format!("00-{id}-{CALLER}-+1"),
        &format!("00-{id}-{CALLER}-1"),
        &format!("{good},{good}"),
        &long,
    ];
    for (index, parent) in malformed.iter().enumerate() {
        let request_id = format!("malformed-{index}");
        let headers = [
            ("traceparent", *parent),
            ("tracestate", "acme=one"),
            ("x-request-id", request_id.as_str()),
        ];
        assert_eq!(traced.served.get_with("/v1/models", &headers).status, 200);
        let span = with_request_id(&traced.collector, &request_id);
        assert_eq!((&*span.parent, &*span.state), ("", ""), "{parent}");
        assert_ne!(span.trace, id, "{parent}");
    }
    // Two are as good as none.
    let headers = [
        ("traceparent", good.as_str()),
        ("traceparent", good.as_str()),
        ("x-request-id", "two-parents"),
    ];
    assert_eq!(traced.served.get_with("/v1/models", &headers).status, 200);
    let span = with_request_id(&traced.collector, "two-parents");
    assert_eq!(span.parent, "");

    // A later version may say more; a state that is long or malformed is left out alone.
    let (many, value) = (vec!["a=b"; 200].join(","), format!("a={}", "b".repeat(600)));
    for state in [many.as_str(), &value, "no pair", "A=b"] {
        let (id, parent) = caller("01");
        let parent = format!("{}-more", parent.replacen("00-", "cc-", 1));
        let headers = [("traceparent", parent.as_str()), ("tracestate", state)];
        assert_eq!(traced.served.get_with("/v1/models", &headers).status, 200);
        let span = traced.trace(&id).request;
        assert_eq!((&*span.parent, &*span.state), (CALLER, ""), "{state}");
    }
}

/// Waits for the span of the request with this id.
#[track_caller]
fn with_request_id(collector: &Collector, id: &str) -> SentSpan {
    let begun = Instant::now();
    loop {
        let mut spans = collector.spans();
        spans.retain(|span| span.attributes.get("ampoule.request.id") == Some(&json!(id)));
        if let Some(span) = spans.pop() {
            return span;
        }
        assert!(begun.elapsed() < PATIENCE, "{id}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn callers_who_keep_no_trace_and_those_who_watch_the_server_are_not_traced() {
    let traced = Traced::get();
    let (unsampled, parent) = caller("00");
    let headers = [("traceparent", parent.as_str())];
    let body = embedding(1).to_string();
    let reply = traced
        .served
        .post_bytes(EMBEDDINGS, &headers, body.as_bytes());
    assert_eq!(reply.status, 200);
    let (watched, parent) = caller("01");
    let headers = [("traceparent", parent.as_str())];
    for path in [
        "/health",
        "/healthz",
        "/metrics",
        "/readyz",
        "/v2/health/live",
        "/v2/health/ready",
    ] {
        assert_eq!(traced.served.get_with(path, &headers).status, 200);
    }
    // Spans come in the order in which they end.
    let (_, trace) = traced.post(EMBEDDINGS, &embedding(1));
    assert_eq!(trace.request.name, "POST /v1/embeddings");
    let spans = traced.collector.spans();
    let mut ids = spans.iter().map(|span| &span.trace);
    assert!(!ids.any(|id| [&unsampled, &watched].contains(&id)));
}

#[test]
fn a_failure_is_an_error_with_its_code_and_a_refusal_has_the_code_alone() {
    let traced = Traced::get();
    let (reply, trace) = traced.post(EMBEDDINGS, &json!({"model": "panics", "input": "a"}));
    assert_eq!(reply.status, 500, "{}", reply.text());
    for span in [&trace.request, &trace.sandboxes[0]] {
        assert!(span.has_failed, "{span:?}");
        assert_eq!(span.attributes["error.type"], "guest.trap");
    }
    assert!(!trace.queue[0].has_failed);
    let own = &trace.request.attributes;
    assert_eq!(own["http.response.status_code"], 500);
    assert_eq!(own["ampoule.outcome"], "error");

    // The status was sent before the error.
    let mut asked = question("breaks-off");
    asked["stream"] = json!(true);
    let (reply, trace) = traced.post(CHAT, &asked);
    assert_eq!(reply.status, 200, "{}", reply.text());
    for span in [&trace.request, &trace.sandboxes[0]] {
        assert!(span.has_failed, "{span:?}");
        assert_eq!(span.attributes["error.type"], "guest.error");
    }

    for (path, body, status, code) in [
        (
            EMBEDDINGS,
            json!({"model": "none", "input": "a"}),
            404,
            "model.unknown",
        ),
        (EMBEDDINGS, json!({"model": "good"}), 400, "input.invalid"),
        ("/v1/nowhere", json!({}), 404, "route.unknown"),
    ] {
        let (reply, trace) = traced.post(path, &body);
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(!trace.request.has_failed, "{trace:?}");
        let own = &trace.request.attributes;
        assert_eq!(own["error.type"], code, "{own:?}");
        assert_eq!(trace.below().count(), 0);
    }
}

#[test]
fn a_client_that_goes_away_leaves_a_sandbox_that_is_abandoned() {
    let traced = Traced::get();
    let (id, parent) = caller("01");
    let mut asked = question("blocks");
    asked["stream"] = json!(true);
    let body = asked.to_string();
    let mut client = traced.served.connect();
    let header = format!("traceparent: {parent}\r\n");
    client.begin_post(CHAT, body.len(), &header).unwrap();
    client.send(&body).unwrap();
    assert!(client.has_bytes_within(PATIENCE).unwrap());
    client.vanish();
    let is_whole = |spans: &[SentSpan]| spans.len() == 3;
    let spans = traced.collector.trace(&id, is_whole);
    let named = |name: &str| spans.iter().find(|span| span.name.starts_with(name));
    let request = named("POST ").unwrap();
    assert_eq!(request.attributes["ampoule.outcome"], "client-gone");
    assert_eq!(request.attributes["error.type"], "client-gone");
    let sandbox = named("sandbox").unwrap();
    assert_eq!(sandbox.attributes["ampoule.abandoned"], true);
    let fuel = &sandbox.attributes["ampoule.fuel"];
    assert!(fuel.as_u64() > Some(0), "up to the last chunk: {sandbox:?}");
    assert!(!request.has_failed && !sandbox.has_failed, "{spans:#?}");
}

#[test]
fn no_words_of_a_caller_are_in_a_trace() {
    const SECRET: &str = "sk-5EcRet";
    let traced = Traced::get();
    let (id, parent) = caller("01");
    let secret_headers = [
        "authorization",
        "baggage",
        "cookie",
        "user-agent",
        "x-api-key",
        "x-forwarded-for",
        "x-request-id",
    ];
    // An id of a request is plain, so this one is none.
    let value = format!("key {SECRET}");
    let mut headers = secret_headers.map(|name| (name, value.as_str())).to_vec();
    headers.push(("traceparent", &parent));
    let mut chat = question("good");
    chat["messages"][0]["content"] = json!(format!("{SECRET} said"));
    chat["user"] = json!(SECRET);
    chat["seed"] = json!(1);
    let mut streamed = chat.clone();
    streamed["stream"] = json!(true);
    let mut broken = question("breaks-off");
    broken["messages"][0]["content"] = json!(SECRET);
    let bodies = [
        (CHAT, chat),
        (CHAT, streamed),
        (CHAT, broken),
        (EMBEDDINGS, json!({"model": "good", "input": SECRET})),
        (EMBEDDINGS, json!({"model": SECRET, "input": "a"})),
        (EMBEDDINGS, json!({"model": "good", "input": {SECRET: 1}})),
        (EMBEDDINGS, json!({"model": "panics", "input": SECRET})),
    ];
    for (path, body) in &bodies {
        let path = format!("{path}?api_key={SECRET}");
        let body = body.to_string();
        let _ = traced.served.post_bytes(&path, &headers, body.as_bytes());
    }
    for path in [
        format!("/v1/models/{SECRET}"),
        format!("/ampoule/v1/models/{SECRET}"),
        format!("/{SECRET}"),
    ] {
        let _ = traced.served.get_with(&path, &headers);
    }
    let mut raw = traced.served.connect();
    let head = format!("{SECRET} / HTTP/1.1\r\nhost: localhost\r\ntraceparent: {parent}\r\n\r\n");
    raw.send(head).unwrap();
    assert_eq!(raw.answer().unwrap().status, 405);
    let expected = bodies.len() + 4;
    let spans = traced.collector.trace(&id, |spans| {
        spans.iter().filter(|span| span.kind == 2).count() == expected
    });
    let unusual = spans.iter().find(|span| span.name.starts_with("HTTP"));
    assert_eq!(unusual.unwrap().attributes["http.request.method"], "_OTHER");
    let sent = traced.collector.bytes();
    let holds = |words: &str| {
        sent.windows(words.len())
            .any(|part| part == words.as_bytes())
    };
    assert!(holds("/v1/models/{*id}"), "this finds what is there");
    assert!(!holds(SECRET));
}

#[test]
fn a_collector_that_is_away_slows_no_request_is_told_once_and_found_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let (folder, operator) = (tempfile::tempdir().unwrap(), Operator::new());
    let bundle = operator.good().named("good").write();
    let mut command = ampoule_with_traces();
    command.arg("--trust").arg(operator.trust());
    command.env("OTEL_BSP_SCHEDULE_DELAY", "10");
    // More spans are lost than fit.
    command.env("OTEL_BSP_MAX_QUEUE_SIZE", "8");
    command.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4");
    let log = folder.path().join("log");
    command.stderr(File::create(&log).unwrap());
    let url = format!("http://{address}/");
    let path = bundle.path().to_str().unwrap();
    let options = [
        "--model",
        path,
        "--traces",
        &url,
        "--access-log",
        "--log-format",
        "json",
    ];
    let served = Served::start(&mut command, &options);
    let log = || -> Vec<Value> {
        let text = std::fs::read_to_string(&log).unwrap();
        let lines = text.split_inclusive('\n');
        let lines = lines.filter(|line| line.ends_with('\n'));
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let told = |words: &str| {
        let log = log();
        let about = |line: &&Value| {
            let message = line["message"].as_str().unwrap_or_default();
            message.contains(words)
        };
        log.iter().filter(about).count()
    };
    let name = served.get("/v1/models").json()["data"][0]["id"].clone();
    let asked = json!({"model": name, "input": ["one", "two"]});
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < Duration::from_secs(2) || told("takes no traces") == 0 {
        let sent = Instant::now();
        assert_eq!(served.post(EMBEDDINGS, &asked).status, 200);
        times.push(sent.elapsed());
        assert!(begun.elapsed() < PATIENCE, "{:?}", log());
    }
    assert!(times.len() > 20, "{times:?}");
    times.sort();
    assert!(
        times[times.len() / 2] < Duration::from_millis(500),
        "{times:?}"
    );
    assert_eq!(told("takes no traces"), 1, "{:?}", log());

    let collector = Collector::start_at(address);
    let (id, parent) = caller("01");
    let headers = [("traceparent", parent.as_str()), ("x-request-id", "found")];
    let begun = Instant::now();
    while !collector.spans().iter().any(|span| span.trace == id) {
        let body = asked.to_string();
        let _ = served.post_bytes(EMBEDDINGS, &headers, body.as_bytes());
        assert!(begun.elapsed() < PATIENCE, "{:?}", log());
    }
    assert_eq!(told("takes traces again"), 1, "{:?}", log());
    assert_eq!(told("takes no traces"), 1, "{:?}", log());
    let line = log().into_iter().find(|line| line["id"] == "found");
    assert_eq!(line.unwrap()["trace_id"], id);
}

/// Starts a server whose spans wait for an hour, if nothing sends them before.
fn patient(collector: &Collector) -> (Served, WrittenBundle, Operator) {
    let operator = Operator::new();
    let bundle = operator.good().named("good").write();
    let mut command = ampoule_with_traces();
    command.arg("--trust").arg(operator.trust());
    command.env("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    let path = bundle.path().to_str().unwrap();
    let options = ["--model", path, "--traces", &collector.url()];
    (Served::start(&mut command, &options), bundle, operator)
}

#[test]
fn the_last_spans_are_sent_at_the_end() {
    let collector = Collector::start();
    let (served, _bundle, _operator) = patient(&collector);
    let (id, parent) = caller("01");
    let headers = [("traceparent", parent.as_str())];
    assert_eq!(served.get_with("/v1/models", &headers).status, 200);
    assert_eq!(collector.spans().len(), 0);
    served.terminate();
    assert_eq!(served.wait(), Some(0));
    let spans = collector.spans();
    assert_eq!(spans.iter().filter(|span| span.trace == id).count(), 1);
}

#[test]
fn a_collector_that_never_answers_holds_up_the_end_for_two_seconds() {
    let collector = Collector::silent();
    let (served, _bundle, _operator) = patient(&collector);
    assert_eq!(served.get("/v1/models").status, 200);
    let begun = Instant::now();
    served.terminate();
    assert_eq!(served.wait(), Some(0));
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(4_500), "{took:?}");
    assert!(!collector.spans().is_empty(), "it was asked");
}

#[test]
fn variables_name_the_service_choose_the_sample_and_hold_the_collectors_key() {
    let collector = Collector::start();
    let operator = Operator::new();
    let bundle = operator.good().named("good").write();
    let start = |variables: &[(&str, &str)]| {
        let mut command = ampoule_with_traces();
        command.arg("--trust").arg(operator.trust());
        command.env("OTEL_BSP_SCHEDULE_DELAY", "10");
        command.env("AMPOULE_TRACES", collector.url());
        command.envs(variables.iter().copied());
        let path = bundle.path().to_str().unwrap();
        Served::start(&mut command, &["--model", path])
    };
    let served = start(&[
        ("OTEL_SERVICE_NAME", "my-models"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=collectors-key"),
        // Others' settings: the collector is the one that the server's own option names.
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
    ]);
    let (id, parent) = caller("01");
    let headers = [("traceparent", parent.as_str())];
    assert_eq!(served.get_with("/v1/models", &headers).status, 200);
    let spans = collector.trace(&id, |spans| !spans.is_empty());
    let resource = &spans[0].resource;
    assert_eq!(resource["service.name"], "my-models");
    assert_eq!(resource["deployment.environment.name"], "test");
    let bytes = collector.bytes();
    assert!(String::from_utf8_lossy(&bytes).contains("x-key: collectors-key\r\n"));
    served.terminate();
    assert_eq!(served.wait(), Some(0));

    // A share of none, whatever the caller says.
    let before = collector.spans().len();
    let served = start(&[
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
    ]);
    assert_eq!(served.get_with("/v1/models", &headers).status, 200);
    served.terminate();
    assert_eq!(served.wait(), Some(0));
    assert_eq!(collector.spans().len(), before);
}

/// An address that is refused after the collector: a program that takes the collector does not serve for ever.
const REFUSED_LATER: &str = "0.0.0.0:0";

/// Runs `serve` with a setting that it refuses, and returns the message.
#[track_caller]
fn refused(command: &mut Command, code: &str) -> String {
    command.args(["serve", "--json", "--listen", REFUSED_LATER]);
    let output = command.output().unwrap();
    assert_fails(&output, code, 2);
    json_of(&output)["error"]["message"].to_string()
}

fn configuration(folder: &Path) -> String {
    let file = folder.join("ampoule.toml");
    std::fs::write(&file, "[server]\ntraces = \"http://127.0.0.1:4318\"\n").unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_program_without_traces_refuses_them_and_names_the_feature() {
    let folder = tempfile::tempdir().unwrap();
    let mut by_variable = ampoule();
    by_variable.env("AMPOULE_TRACES", "http://127.0.0.1:4318");
    let mut by_key = ampoule();
    by_key.args(["--config", &configuration(folder.path())]);
    for command in [&mut by_variable, &mut by_key] {
        let message = refused(command, "usage.setting");
        assert!(message.contains("feature `otel`"), "{message}");
    }
    let mut by_option = ampoule();
    by_option.args(["serve", "--traces", "http://127.0.0.1:4318"]);
    by_option.args(["--listen", REFUSED_LATER]);
    let output = by_option.output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("feature `otel`"), "{message}");
}

#[test]
fn a_mistyped_collector_or_sampler_is_refused_at_the_start() {
    for (address, words) in [
        ("https://127.0.0.1:4318", "http://"),
        ("127.0.0.1:4318", "http://127.0.0.1:4318"),
        ("http://user:SECRET@127.0.0.1", "without a user"),
    ] {
        let mut command = ampoule_with_traces();
        command.args(["serve", "--traces", address, "--listen", REFUSED_LATER]);
        let output = command.output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(words), "{message}");
    }
    for (name, value) in [
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_TRACES_SAMPLER_ARG", "NaN"),
    ] {
        let mut command = ampoule_with_traces();
        command.env("AMPOULE_TRACES", "http://127.0.0.1:4318");
        command.env("OTEL_TRACES_SAMPLER", "traceidratio");
        command.env(name, value);
        let message = refused(&mut command, "usage.setting");
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn the_manual_lists_each_attribute_with_its_spans_and_no_other() {
    let traced = Traced::get();
    let mut seen = BTreeMap::<String, BTreeSet<String>>::new();
    let mut stream = question("good");
    stream["stream"] = json!(true);
    for (path, body) in [
        (EMBEDDINGS, embedding(1)),
        (CHAT, stream),
        (EMBEDDINGS, json!({"model": "panics", "input": "a"})),
    ] {
        let (_, trace) = traced.post(path, &body);
        let spans = trace.below().map(|span| (&*span.name, span));
        for (name, span) in spans.chain([("request", &trace.request)]) {
            for attribute in span.attributes.keys() {
                let spans = seen.entry(attribute.clone()).or_default();
                spans.insert(name.to_owned());
            }
        }
    }
    // That of a wait whose model is busy: see the test of it.
    let of_error = seen.get_mut("error.type").unwrap();
    of_error.insert("queue".to_owned());
    let page = std::fs::read_to_string(workspace_file("docs/operate/traces.md")).unwrap();
    let (_, table) = page.split_once("| attribute |").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let spans = cells[1].split(", ");
        let spans = spans.map(|span| span.trim_matches('`').to_owned());
        (cells[0].trim_end_matches('`').to_owned(), spans.collect())
    });
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), seen);
}

#[test]
fn a_wait_that_is_refused_has_the_code_and_no_sandbox() {
    let traced = Traced::start(&["--sandboxes", "1"]);
    let mut asked = question("blocks");
    asked["stream"] = json!(true);
    let body = asked.to_string();
    let mut taken = traced.served.connect();
    taken.begin_post(CHAT, body.len(), "").unwrap();
    taken.send(&body).unwrap();
    assert!(taken.has_bytes_within(PATIENCE).unwrap());
    let (reply, trace) = traced.post(EMBEDDINGS, &embedding(1));
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert_eq!(trace.request.attributes["error.type"], "limit.busy");
    assert!(!trace.request.has_failed, "the caller asks again");
    assert_eq!(trace.sandboxes.len(), 0);
    assert_eq!(trace.queue.len(), 1);
    assert!(trace.queue[0].has_failed, "{trace:?}");
    assert_eq!(trace.queue[0].attributes["error.type"], "limit.busy");
}
