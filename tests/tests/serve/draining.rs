//! The end of a server: what was accepted is answered, and nothing keeps it from ending.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ampoule_tests::{Operator, RawClient, Served, ampoule, test_guest};
use serde_json::json;

const EMBEDDINGS: &str = "/v1/embeddings";

#[test]
fn a_request_that_has_begun_is_answered_and_later_ones_are_refused() {
    let operator = Operator::new();
    let bundle = operator.good().named("m").write();
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    let path = bundle.path().to_str().unwrap();
    let served = Served::start(&mut command, &["--model", path]);
    let name = bundle.path().file_stem().unwrap().to_str().unwrap();

    let body = json!({ "model": name, "input": "a" }).to_string();
    let mut begun = served.connect();
    begun.begin_post(EMBEDDINGS, body.len(), "").unwrap();
    begun.send(&body[..5]).unwrap();
    let mut idle = served.connect();
    assert_eq!(idle.get("/healthz").unwrap().status, 200);
    let mut watcher = served.connect();
    assert_eq!(watcher.get("/healthz").unwrap().status, 200);
    let address = served.address();
    served.terminate();
    let asked = Instant::now();
    while RawClient::connect(address).is_ok() {
        assert!(asked.elapsed() < Duration::from_secs(10), "still listens");
    }
    let refused = idle.get("/v1/models").unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"]["code"], "server.draining");
    assert!(
        refused.head.contains("connection: close"),
        "{}",
        refused.head
    );
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert_eq!(
        watcher.get("/healthz").unwrap().status,
        200,
        "it still runs"
    );

    begun.send(&body[5..]).unwrap();
    let answer = begun.answer().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(served.wait(), Some(0));
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "nobody is waited for"
    );
}

#[test]
fn a_stream_that_does_not_end_is_ended_with_an_error() {
    let operator = Operator::new();
    let bundle = operator
        .publisher()
        .bundle(test_guest("generation_blocks"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(5_000))
        .write();
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    let path = bundle.path().to_str().unwrap();
    let served = Served::start(&mut command, &["--model", path, "--drain-timeout", "500ms"]);
    let name = bundle.path().file_stem().unwrap().to_str().unwrap();

    let body = json!({ "model": name, "prompt": "a", "stream": true }).to_string();
    let mut stream = served.connect();
    stream
        .begin_post("/v1/completions", body.len(), "")
        .unwrap();
    stream.send(&body).unwrap();
    assert!(stream.has_bytes_within(Duration::from_secs(20)).unwrap());
    served.terminate();
    let asked = Instant::now();
    let answer = stream.answer().unwrap();
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("once "), "{text}");
    assert!(text.contains("\"error\":{"), "{text}");
    assert_eq!(served.wait(), Some(0));
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn a_drain_under_load_loses_no_accepted_request() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    let path = bundle.path().to_str().unwrap();
    let served = Served::start(&mut command, &["--model", path]);
    let name = bundle
        .path()
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();

    let answered = Arc::new(AtomicUsize::new(0));
    let is_draining = Arc::new(AtomicBool::new(false));
    let client = Client {
        address: served.address(),
        body: json!({ "model": name, "input": ["some", "texts"] }).to_string(),
        answered: Arc::clone(&answered),
        is_draining: Arc::clone(&is_draining),
    };
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || client.ask_until_the_end())
        })
        .collect();
    while answered.load(Ordering::SeqCst) < 100 {
        std::thread::sleep(Duration::from_millis(5));
    }
    is_draining.store(true, Ordering::SeqCst);
    served.terminate();
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(served.wait(), Some(0));
}

/// A client that asks one request after the other.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    body: String,
    answered: Arc<AtomicUsize>,
    is_draining: Arc<AtomicBool>,
}

impl Client {
    fn ask_until_the_end(&self) {
        while let Ok(connection) = RawClient::connect(self.address) {
            self.ask_on(connection);
        }
        assert!(self.is_draining.load(Ordering::SeqCst), "it has gone");
    }

    fn ask_on(&self, mut connection: RawClient) {
        let mut last: Option<Instant> = None;
        loop {
            let sent = connection
                .begin_post(EMBEDDINGS, self.body.len(), "")
                .and_then(|()| connection.send(&self.body));
            let idle = last.map(|last| last.elapsed());
            let answer = match sent.and_then(|()| connection.answer()) {
                Ok(answer) => answer,
                Err(error) => {
                    // The server has taken no connection without an answer, and keeps those that it has for 250 ms.
                    let is_late = idle.is_none_or(|idle| idle >= Duration::from_millis(150));
                    let is_draining = self.is_draining.load(Ordering::SeqCst);
                    assert!(is_draining && is_late, "{error} after {idle:?}");
                    return;
                }
            };
            match answer.status {
                200 => self.answered.fetch_add(1, Ordering::SeqCst),
                503 if self.is_draining.load(Ordering::SeqCst) => 0,
                _ => panic!("{answer:?}"),
            };
            if answer.head.contains("connection: close") {
                return;
            }
            last = Some(Instant::now());
        }
    }
}
