//! The end of a server: what was accepted is answered, and nothing keeps it from ending.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ampoule_server::{ConnectionSettings, Models, ServiceSettings};
use ampoule_tests::{
    Operator, Publisher, RawClient, Served, ServedHere, ampoule, block_on, host_trusting,
    test_guest,
};
use serde_json::{Value, json};

const EMBEDDINGS: &str = "/v1/embeddings";

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a server takes no connection.
#[track_caller]
fn wait_until_it_listens_no_more(address: SocketAddr) {
    let begun = Instant::now();
    while RawClient::connect(address).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it listens still");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns a server of a model that answers, whose drain leaves connections without a request as long as any test takes.
fn patient_server() -> ServedHere {
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    let bundle = acme.every_task().write();
    let model = block_on(host.load(bundle.path())).unwrap();
    let models = Models::default();
    models.add("model", &[]).unwrap().serve_fixed(model);
    let settings = ServiceSettings {
        connections: ConnectionSettings {
            drain_grace: PATIENCE,
            ..ConnectionSettings::default()
        },
        body_time: PATIENCE,
        ..ServiceSettings::default()
    };
    ServedHere::of_models(host, &models, settings, PATIENCE)
}

/// Begins a request, and returns its connection once the server reads the body.
fn begin(mut connection: RawClient, body: &str) -> RawClient {
    let expect = "expect: 100-continue\r\n";
    connection
        .begin_post(EMBEDDINGS, body.len(), expect)
        .unwrap();
    assert_eq!(connection.answer().unwrap().status, 100);
    connection
}

#[test]
fn a_request_that_has_begun_is_answered_and_later_ones_are_refused() {
    let mut server = patient_server();
    let body = json!({ "model": "model", "input": "a" }).to_string();
    let mut begun = begin(server.connect(), &body);
    let used = || {
        let mut connection = server.connect();
        assert_eq!(connection.get("/readyz").unwrap().status, 200);
        connection
    };
    let mut idle = used();
    // Whoever watches the server is answered to its end, and a server that drains is alive: who finds it dead kills it.
    let watchers = [
        ("/healthz", 200),
        ("/v2/health/live", 200),
        ("/metrics", 200),
        ("/readyz", 503),
        ("/v2/health/ready", 400),
        ("/health", 503),
    ];
    let watchers = watchers.map(|(path, status)| (used(), path, status));
    server.end();
    wait_until_it_listens_no_more(server.address());

    let refused = idle.get("/v1/models").unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"]["code"], "server.draining");
    let head = &refused.head;
    assert!(head.contains("connection: close"), "{head}");
    assert!(head.contains("retry-after: 1"), "{head}");
    for (mut watcher, path, status) in watchers {
        let answer = watcher.get(path).unwrap();
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    begun.send(&body).unwrap();
    let answer = begun.answer().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert!(server.wait(), "nothing had to be stopped");
}

#[test]
fn a_connection_without_a_request_does_not_keep_a_server_from_ending() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    let path = bundle.path().to_str().unwrap();
    let times = ["--head-timeout", "5m", "--drain-timeout", "5m"];
    let served = Served::start(&mut command, &[&["--model", path], &times[..]].concat());
    let name = bundle.path().file_stem().unwrap().to_str().unwrap();
    let body = json!({ "model": name, "input": "a" }).to_string();
    let mut begun = begin(served.connect(), &body);
    let silent = served.connect();
    let mut idle = served.connect();
    assert_eq!(idle.get("/healthz").unwrap().status, 200);
    let mut half = served.connect();
    half.send("GET /healthz HTTP/1.1\r\n").unwrap();
    served.terminate();
    wait_until_it_listens_no_more(served.address());
    begun.send(&body).unwrap();
    let answer = begun.answer().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = Instant::now();
    assert_eq!(served.wait(), Some(0));
    assert!(asked.elapsed() < PATIENCE, "somebody was waited for");
    let refused = half.answer().unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"]["code"], "server.draining");
    for mut client in [silent, idle] {
        assert_eq!(client.to_end().unwrap().0, 0, "it has asked nothing");
    }
}

#[test]
fn a_stream_that_does_not_end_is_ended_with_an_error() {
    let operator = Operator::new();
    let bundle = operator
        .publisher()
        .bundle(test_guest("generation_blocks"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(600_000))
        .write();
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    let path = bundle.path().to_str().unwrap();
    let times = ["--timeout", "10m", "--drain-timeout", "500ms"];
    let served = Served::start(&mut command, &[&["--model", path], &times[..]].concat());
    let name = bundle.path().file_stem().unwrap().to_str().unwrap();

    let body = json!({ "model": name, "prompt": "a", "stream": true }).to_string();
    let mut stream = served.connect();
    stream
        .begin_post("/v1/completions", body.len(), "")
        .unwrap();
    stream.send(&body).unwrap();
    assert!(stream.has_bytes_within(PATIENCE).unwrap());
    served.terminate();
    let asked = Instant::now();
    let answer = stream.answer().unwrap();
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("once "), "{text}");
    assert!(text.contains("\"error\":{"), "{text}");
    assert!(!text.contains("limit.deadline"), "{text}");
    assert_eq!(served.wait(), Some(0));
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
}

/// The log says which requests were accepted, whatever became of them, and the clients say which of their requests were
/// answered.
#[test]
fn a_drain_under_load_loses_no_accepted_request() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    command.stderr(File::create(&log).unwrap());
    let path = bundle.path().to_str().unwrap();
    let arguments = ["--model", path, "--access-log", "--log-format", "json"];
    let served = Served::start(&mut command, &arguments);
    let name = bundle.path().file_stem().unwrap().to_str().unwrap();

    let answers = Arc::new(AtomicUsize::new(0));
    let is_draining = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let client = Client {
                number,
                address: served.address(),
                body: json!({ "model": name, "input": ["some", "texts"] }).to_string(),
                answers: Arc::clone(&answers),
                is_draining: Arc::clone(&is_draining),
                until: Instant::now() + PATIENCE,
            };
            std::thread::spawn(move || client.ask_until_the_end())
        })
        .collect();
    let begun = Instant::now();
    while answers.load(Ordering::SeqCst) < 100 {
        assert!(begun.elapsed() < PATIENCE, "few are answered");
        assert!(
            !clients.iter().any(|client| client.is_finished()),
            "a client has gone"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    is_draining.store(true, Ordering::SeqCst);
    served.terminate();
    let mut answered = BTreeSet::new();
    for client in clients {
        answered.extend(client.join().unwrap());
    }
    assert_eq!(served.wait(), Some(0));

    let text = std::fs::read_to_string(&log).unwrap();
    // The command's own words are no JSON.
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let lines = lines.map(|line| serde_json::from_str(line).unwrap());
    let accepted = lines.filter(|line: &Value| line["family"] == "openai");
    let mut ids = BTreeSet::new();
    for line in accepted {
        let is_refused = line["error"] == "server.draining";
        assert!(line["status"] == 200 || is_refused, "{line}");
        assert_ne!(line["outcome"], "client-gone", "{line}");
        assert!(
            ids.insert(line["id"].as_str().unwrap().to_owned()),
            "{line}"
        );
    }
    assert!(ids.len() >= 100);
    assert_eq!(ids, answered);
}

/// The system accepts connections for a process that is busy. A runtime says after some of them that there are no more.
#[test]
fn requests_that_wait_to_be_accepted_when_a_drain_begins_are_answered() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let served = Served::models(operator.trust(), &[bundle.path()]);
    let name = bundle.path().file_stem().unwrap().to_str().unwrap();
    let body = json!({ "model": name, "input": "a" }).to_string();
    served.pause();
    let waiting: Vec<_> = (0..300)
        .map(|_| {
            let mut client = served.connect();
            client.begin_post(EMBEDDINGS, body.len(), "").unwrap();
            client.send(&body).unwrap();
            client
        })
        .collect();
    served.terminate();
    served.resume();
    for (index, mut client) in waiting.into_iter().enumerate() {
        let answer = client
            .answer()
            .unwrap_or_else(|lost| panic!("{index}: {lost}"));
        if answer.status != 200 {
            assert_eq!(answer.status, 503, "{index}: {answer:?}");
            assert_eq!(answer.json()["error"]["code"], "server.draining");
        }
    }
    assert_eq!(served.wait(), Some(0));
}

/// A client that asks one request after the other.
struct Client {
    number: usize,
    address: SocketAddr,
    body: String,
    answers: Arc<AtomicUsize>,
    is_draining: Arc<AtomicBool>,
    /// The time by which the server has to have ended.
    until: Instant,
}

impl Client {
    /// Asks until the server listens no more, and returns the ids of the requests that were answered.
    fn ask_until_the_end(&self) -> Vec<String> {
        let mut answered = Vec::new();
        while let Ok(mut connection) = RawClient::connect(self.address) {
            while let Some(id) = self.ask(&mut connection, answered.len()) {
                answered.push(id);
            }
        }
        assert!(
            self.is_draining.load(Ordering::SeqCst),
            "the server has gone"
        );
        answered
    }

    /// Asks a request. Returns its id when it is answered.
    fn ask(&self, connection: &mut RawClient, count: usize) -> Option<String> {
        assert!(Instant::now() < self.until, "the server does not end");
        let id = format!("{}-{count}", self.number);
        let header = format!("x-request-id: {id}\r\n");
        let sent = connection
            .begin_post(EMBEDDINGS, self.body.len(), &header)
            .and_then(|()| connection.send(&self.body));
        // A server that drains ends connections after a while, and a request may come just then: it was not accepted.
        let answer = match sent.and_then(|()| connection.answer()) {
            Ok(answer) => answer,
            Err(error) => {
                assert!(self.is_draining.load(Ordering::SeqCst), "{error}");
                return None;
            }
        };
        match answer.status {
            200 => self.answers.fetch_add(1, Ordering::SeqCst),
            503 if self.is_draining.load(Ordering::SeqCst) => 0,
            _ => panic!("{answer:?}"),
        };
        Some(id)
    }
}
