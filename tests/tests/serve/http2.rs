//! HTTP/2: the answers of HTTP/1.1, and bounds of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ampoule_tests::http2_client::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, Http2Client, PING,
    RST_STREAM, WINDOW_UPDATE, fields, frame, is_200, request,
};
use ampoule_tests::{Operator, Served, WrittenBundle, ampoule, test_guest};
use serde_json::{Value, json};

use crate::tls::{SERVER, client, served_by};

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Number of the setting that says how much of each answer may be on the way.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Bytes of an answer that may be on the way where a client says nothing else.
const WINDOW: usize = 65_535;

/// Code of an end that is nobody's fault.
const NO_ERROR: [u8; 4] = [0; 4];

static RUNNING: Mutex<Weak<Secure>> = Mutex::new(Weak::new());

/// A server by TLS of `every-task`, and of `endless`, whose generations never end.
pub(crate) struct Secure {
    pub(crate) served: Served,
    _operator: Operator,
    _bundles: [WrittenBundle; 2],
    _folder: tempfile::TempDir,
}

impl Secure {
    /// Returns the server, and starts it where none runs. The last test that holds it ends it.
    pub(crate) fn get() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start(&[]));
        *running = Arc::downgrade(&server);
        server
    }

    /// Starts a server with further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let operator = Operator::new();
        let endless = operator
            .publisher()
            .bundle(test_guest("endless_generation"));
        let endless = endless.named("endless").tasks(&["text-generation"]).write();
        let bundles = [operator.good().write(), endless];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ampoule.toml");
        let text = format!(
            "trust = {:?}\n[[model]]\npath = {:?}\nname = \"every-task\"\n[[model]]\npath = {:?}\nname = \"endless\"\n",
            operator.trust(),
            bundles[0].path(),
            bundles[1].path(),
        );
        std::fs::write(&file, text).unwrap();
        let mut command = ampoule();
        command.arg("--config").arg(file);
        let arguments = [&SERVER.arguments()[..], arguments].concat();
        let server = Self {
            served: Served::listening(&mut command, &arguments),
            _operator: operator,
            _bundles: bundles,
            _folder: folder,
        };
        let begun = Instant::now();
        while server.get_by_http1("/readyz").0 != 200 {
            assert!(begun.elapsed() < PATIENCE, "the models did not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Gets a path by HTTP/1.1.
    pub(crate) fn get_by_http1(&self, path: &str) -> (u16, String) {
        let answer = client(&["http/1.1"]).get(self.served.address(), path, "");
        let answer = answer.unwrap();
        (answer.status, answer.body)
    }

    /// Connects by HTTP/2.
    pub(crate) fn connect(&self) -> Http2Client {
        connect(&self.served, &[])
    }
}

fn connect(served: &Served, settings: &[(u16, u32)]) -> Http2Client {
    Http2Client::connect(&client(&["h2"]), served.address(), settings).unwrap()
}

/// Reads the body of the stream's answer, which has status 200. Answers to other streams are passed over.
#[track_caller]
pub(crate) fn body_of(client: &mut Http2Client, stream: u32) -> Vec<u8> {
    let mut answers = answers(client, &[stream]);
    let (head, body) = answers.remove(&stream).unwrap();
    assert!(is_200(&head), "{head:?}");
    body
}

/// Reads the answers to these streams to their ends, and leaves room for more.
#[track_caller]
fn answers(client: &mut Http2Client, streams: &[u32]) -> BTreeMap<u32, (Frame, Vec<u8>)> {
    let mut heads = BTreeMap::new();
    let mut over = 0;
    while over < streams.len() {
        let frame = client.next().unwrap();
        let is_last = frame.flags & END_STREAM != 0;
        let bytes = u32::try_from(frame.payload.len()).unwrap().to_be_bytes();
        if frame.kind == DATA && bytes != [0; 4] {
            client.send(WINDOW_UPDATE, 0, 0, &bytes).unwrap();
            if !is_last {
                client.send(WINDOW_UPDATE, 0, frame.stream, &bytes).unwrap();
            }
        }
        if !streams.contains(&frame.stream) {
            continue;
        }
        match frame.kind {
            HEADERS => {
                heads.insert(frame.stream, (frame, Vec::new()));
            }
            DATA => {
                let (_, body) = heads.get_mut(&frame.stream).unwrap();
                body.extend_from_slice(&frame.payload);
            }
            RST_STREAM => panic!("{frame:?}"),
            _ => {}
        }
        over += usize::from(is_last);
    }
    heads
}

fn get(client: &mut Http2Client, stream: u32, path: &str) {
    let head = request("GET", path, &[]);
    client
        .send(HEADERS, END_HEADERS | END_STREAM, stream, &head)
        .unwrap();
}

/// Posts JSON.
pub(crate) fn post(client: &mut Http2Client, stream: u32, path: &str, body: &Value) {
    let head = request("POST", path, &[("content-type", "application/json")]);
    client.send(HEADERS, END_HEADERS, stream, &head).unwrap();
    let body = body.to_string();
    client
        .send(DATA, END_STREAM, stream, body.as_bytes())
        .unwrap();
}

#[test]
fn many_requests_on_one_connection_have_the_answers_of_http1() {
    let server = Secure::get();
    let body = json!({"model": "every-task", "input": ["one", "two"]});
    let mut plain = client(&["http/1.1"])
        .connect(server.served.address())
        .unwrap();
    let expected = plain
        .ask("POST", "/v1/embeddings", "", &body.to_string())
        .unwrap();
    let expected: Value = serde_json::from_str(&expected.body).unwrap();
    let mut client = server.connect();
    for round in 0..5 {
        let streams: Vec<u32> = (0..8).map(|number| round * 16 + number * 2 + 1).collect();
        for stream in &streams {
            post(&mut client, *stream, "/v1/embeddings", &body);
        }
        for (head, body) in answers(&mut client, &streams).into_values() {
            assert!(is_200(&head), "{head:?}");
            let found: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(found["data"], expected["data"]);
        }
    }
}

#[test]
fn a_stream_of_events_comes_to_its_end() {
    let server = Secure::get();
    let mut client = server.connect();
    let body = json!({
        "model": "every-task", "stream": true, "messages": [{"role": "user", "content": "x"}],
    });
    post(&mut client, 1, "/v1/chat/completions", &body);
    let events = String::from_utf8(body_of(&mut client, 1)).unwrap();
    assert!(events.ends_with("data: [DONE]\n\n"), "{events}");
    get(&mut client, 3, "/openapi.json");
    let document: Value = serde_json::from_slice(&body_of(&mut client, 3)).unwrap();
    assert!(document["paths"].is_object());
}

fn in_flight(server: &Secure) -> f64 {
    let (_, metrics) = server.get_by_http1("/metrics");
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("ampoule_http_requests_in_flight "));
    line.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}

#[test]
fn a_stream_that_its_client_takes_back_is_stopped_and_the_others_go_on() {
    let server = Secure::start(&[]);
    let mut client = server.connect();
    let body = json!({
        "model": "endless", "stream": true, "messages": [{"role": "user", "content": "x"}],
    });
    for stream in [1, 3] {
        post(&mut client, stream, "/v1/chat/completions", &body);
        assert!(is_200(&client.until(HEADERS, stream).unwrap()));
    }
    client.send(RST_STREAM, 0, 1, &8_u32.to_be_bytes()).unwrap();
    let begun = Instant::now();
    // The other stream, and the question itself.
    while in_flight(&server) > 2.0 {
        assert!(begun.elapsed() < PATIENCE, "it is answered still");
        client
            .send(WINDOW_UPDATE, 0, 3, &4_096_u32.to_be_bytes())
            .unwrap();
        client
            .send(WINDOW_UPDATE, 0, 0, &4_096_u32.to_be_bytes())
            .unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    client.until(DATA, 3).unwrap();
    drop(client);
    let begun = Instant::now();
    while in_flight(&server) > 1.0 {
        assert!(begun.elapsed() < PATIENCE, "its client has gone");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn more_streams_than_are_allowed_at_one_time_are_refused_alone() {
    let server = Secure::get();
    let mut client = server.connect();
    let head = request(
        "POST",
        "/v1/embeddings",
        &[("content-type", "application/json")],
    );
    for number in 0..33 {
        let stream = number * 2 + 1;
        client.send(HEADERS, END_HEADERS, stream, &head).unwrap();
    }
    let refused = client.until(RST_STREAM, 65).unwrap();
    assert_eq!(refused.payload, 7_u32.to_be_bytes(), "REFUSED_STREAM");
    let body = json!({"model": "every-task", "input": "one"}).to_string();
    client.send(DATA, END_STREAM, 1, body.as_bytes()).unwrap();
    body_of(&mut client, 1);
}

#[test]
fn more_than_a_hundred_requests_before_the_client_reads_are_answered_or_refused_alone() {
    let server = Secure::get();
    let mut client = server.connect();
    let head = request(
        "POST",
        "/v1/embeddings",
        &[("content-type", "application/json")],
    );
    let streams: Vec<u32> = (0..120).map(|number| number * 2 + 1).collect();
    let heads = streams
        .iter()
        .flat_map(|stream| frame(HEADERS, END_HEADERS, *stream, &head));
    client.send_bytes(&heads.collect::<Vec<_>>()).unwrap();
    let (answered, refused) = streams.split_at(32);
    for _ in refused {
        let frame = client.until_any(RST_STREAM, refused).unwrap();
        assert_eq!(frame.payload, 7_u32.to_be_bytes(), "REFUSED_STREAM");
    }
    let body = json!({"model": "every-task", "input": "one"}).to_string();
    for stream in answered {
        client
            .send(DATA, END_STREAM, *stream, body.as_bytes())
            .unwrap();
    }
    for (head, _) in answers(&mut client, answered).into_values() {
        assert!(is_200(&head), "{head:?}");
    }
}

#[test]
fn clients_that_leave_no_room_for_answers_make_room_for_a_good_one() {
    let served = served_by(&SERVER, &["--connections", "4"]);
    let mut held: Vec<_> = (0..4)
        .map(|_| connect(&served, &[(INITIAL_WINDOW_SIZE, 0)]))
        .collect();
    for client in &mut held {
        get(client, 1, "/openapi.json");
        client.until(HEADERS, 1).unwrap();
    }
    std::thread::sleep(Duration::from_millis(1_200));
    // The time of the first stream goes on beside a new one.
    for client in &mut held {
        get(client, 3, "/openapi.json");
        client.until(HEADERS, 3).unwrap();
    }
    let statuses: Vec<_> = (0..4)
        .map(|_| client(&["http/1.1"]).get(served.address(), "/healthz", ""))
        .map(|answer| answer.map(|answer| answer.status).ok())
        .collect();
    assert!(statuses.contains(&Some(200)), "{statuses:?}");
}

#[test]
fn a_request_that_was_sent_before_the_end_of_an_idle_connection_was_read_is_answered() {
    let served = served_by(&SERVER, &["--keep-alive-timeout", "1500ms"]);
    let mut client = connect(&served, &[]);
    get(&mut client, 1, "/v1/models");
    body_of(&mut client, 1);
    client.until(GOAWAY, 0).unwrap();
    get(&mut client, 3, "/v1/models");
    body_of(&mut client, 3);
    let _ = client.to_end();
}

#[test]
fn a_client_that_has_chosen_http2_and_says_nothing_does_not_hold_up_a_drain() {
    let served = served_by(&SERVER, &["--head-timeout", "60s"]);
    let silent = client(&["h2"]).connect(served.address()).unwrap();
    // Connections are opened one after the other.
    let answer = client(&["http/1.1"]).get(served.address(), "/healthz", "");
    assert_eq!(answer.unwrap().status, 200);
    let begun = Instant::now();
    served.terminate();
    assert_eq!(served.wait(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    drop(silent);
}

#[test]
fn an_idle_connection_is_told_of_its_end_however_often_it_is_pinged() {
    let served = served_by(&SERVER, &["--keep-alive-timeout", "400ms"]);
    let mut client = connect(&served, &[]);
    get(&mut client, 1, "/v1/models");
    body_of(&mut client, 1);
    let begun = Instant::now();
    let ended = loop {
        assert!(begun.elapsed() < PATIENCE, "it is open still");
        if client.send(PING, 0, 0, b"pingping").is_err() {
            panic!("it ended without a word");
        }
        let frame = client.next().unwrap();
        if frame.kind == GOAWAY {
            break frame;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(ended.payload[4..8], NO_ERROR);
    let _ = client.to_end();
}

#[test]
fn a_drain_lets_requests_end_and_tells_their_connection() {
    let server = Secure::start(&[]);
    let (mut busy, mut idle) = (server.connect(), server.connect());
    get(&mut idle, 1, "/v1/models");
    body_of(&mut idle, 1);
    let head = request(
        "POST",
        "/v1/embeddings",
        &[("content-type", "application/json")],
    );
    busy.send(HEADERS, END_HEADERS, 1, &head).unwrap();
    // An answer on the same connection says that the head before has come.
    get(&mut busy, 3, "/v1/models");
    body_of(&mut busy, 3);
    server.served.terminate();
    let told = busy.until(GOAWAY, 0).unwrap();
    assert_eq!(told.payload[4..8], NO_ERROR);
    let frames = idle.to_end();
    assert!(
        frames.iter().any(|frame| frame.kind == GOAWAY),
        "{frames:?}"
    );
    let body = json!({"model": "every-task", "input": "one"}).to_string();
    busy.send(DATA, END_STREAM, 1, body.as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&body_of(&mut busy, 1)).unwrap();
    assert_eq!(answer["data"].as_array().unwrap().len(), 1);
    drop(busy);
    let Secure { served, .. } = server;
    assert_eq!(served.wait(), Some(0));
}

#[test]
fn a_head_in_pieces_has_the_time_of_a_head_beside_other_streams() {
    let served = served_by(&SERVER, &["--head-timeout", "500ms"]);
    let mut client = connect(&served, &[]);
    let post = request("POST", "/v1/embeddings", &[]);
    client.send(HEADERS, END_HEADERS, 1, &post).unwrap();
    client
        .send(HEADERS, 0, 3, &request("GET", "/", &[]))
        .unwrap();
    let begun = Instant::now();
    while client
        .send(CONTINUATION, 0, 3, &fields(&[("a", "b")]))
        .is_ok()
    {
        assert!(begun.elapsed() < PATIENCE, "it is open still");
        std::thread::sleep(Duration::from_millis(50));
    }
    let silent = connect(&served, &[]).to_end();
    assert!(
        silent.iter().all(|frame| frame.kind != HEADERS),
        "{silent:?}"
    );
}

#[test]
fn a_slow_body_is_refused_and_the_other_streams_go_on() {
    let served = served_by(&SERVER, &["--body-timeout", "500ms"]);
    let mut client = connect(&served, &[]);
    let head = request(
        "POST",
        "/v1/embeddings",
        &[("content-type", "application/json")],
    );
    client.send(HEADERS, END_HEADERS, 1, &head).unwrap();
    let begun = Instant::now();
    let mut stream = 3;
    // Each answer to another request comes in between.
    loop {
        assert!(begun.elapsed() < PATIENCE, "no refusal");
        client.send(DATA, 0, 1, b" ").unwrap();
        get(&mut client, stream, "/v1/models");
        let head = client.until_any(HEADERS, &[1, stream]).unwrap();
        if head.stream == 1 {
            assert!(!is_200(&head), "{head:?}");
            break;
        }
        stream += 2;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(stream > 3, "others were answered meanwhile");
    get(&mut client, stream + 2, "/v1/models");
    body_of(&mut client, stream + 2);
}

#[test]
fn a_reader_that_opens_its_window_by_nothing_or_by_a_byte_is_let_go() {
    let served = served_by(&SERVER, &["--stall-timeout", "700ms"]);
    for bytes in [0_u32, 1] {
        let mut client = connect(&served, &[(INITIAL_WINDOW_SIZE, 0)]);
        get(&mut client, 1, "/openapi.json");
        client.until(HEADERS, 1).unwrap();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "it is open still");
            let update = [WINDOW_UPDATE, PING][usize::from(bytes == 0)];
            let payload = [bytes.to_be_bytes().to_vec(), b"pingping".to_vec()];
            let (stream, payload) = match bytes {
                0 => (0, &payload[1]),
                _ => (1, &payload[0]),
            };
            if client.send(update, 0, stream, payload).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let mut steady = connect(&served, &[]);
    get(&mut steady, 1, "/openapi.json");
    assert!(body_of_slowly(&mut steady, 1) > WINDOW);
}

/// Reads an answer in steps, each of which opens the window by what was read.
fn body_of_slowly(client: &mut Http2Client, stream: u32) -> usize {
    client.until(HEADERS, stream).unwrap();
    let mut read = 0;
    loop {
        let data = client.until(DATA, stream).unwrap();
        read += data.payload.len();
        if data.flags & END_STREAM != 0 {
            return read;
        }
        let bytes = u32::try_from(data.payload.len()).unwrap().to_be_bytes();
        for stream in [0, stream] {
            client.send(WINDOW_UPDATE, 0, stream, &bytes).unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
