//! Whole answers whose readers take nothing, or take it slowly: bounded in memory and in time, and no guest waits for them.

use std::time::{Duration, Instant};

use ampoule_server::{ConnectionSettings, ServiceSettings};
use ampoule_tests::{
    Operator, Publisher, RawClient, Reply, Served, ServedHere, WrittenBundle, ampoule, block_on,
    host_trusting,
};
use serde_json::{Value, json};

use crate::metrics::{scrape, sum};

const TOKENIZE: &str = "/tokenize";

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Growth of the resident memory that is allowed.
const ALLOWED_GROWTH: u64 = 32 << 20;

/// Bytes that the system takes for a reader who does not read, about.
const TAKEN_AHEAD: usize = 4 << 10;

/// Makes a request of so many texts, and tells the length of its answer: ten times that of the texts.
fn request(texts: usize) -> (Value, usize) {
    const BYTES: usize = 500;
    let token = r#"{"id":97}"#.len();
    // Between brackets and with a comma after each token, but for the last.
    let text = BYTES * (token + 1) + 1;
    let request = json!({"inputs": vec!["a".repeat(BYTES); texts]});
    (request, texts * (text + 1) + 1)
}

/// A server of one model that does every task.
struct Toy {
    served: Served,
    _bundle: WrittenBundle,
    _operator: Operator,
}

impl Toy {
    fn start(options: &[&str]) -> Self {
        let operator = Operator::new();
        let bundle = operator.good().write();
        let mut command = ampoule();
        command.arg("--trust").arg(operator.trust());
        let model = ["--model", bundle.path().to_str().unwrap()];
        Self {
            served: Served::start(&mut command, &[&model, options].concat()),
            _bundle: bundle,
            _operator: operator,
        }
    }

    fn tokenize(&self, request: &Value) -> Reply {
        self.served.post(TOKENIZE, request)
    }

    /// Opens a connection that sends a request as many times, and returns it once an answer has begun.
    #[track_caller]
    fn unread(&self, request: &str, times: usize) -> RawClient {
        let address = self.served.address();
        let mut reader = RawClient::connect_taking(address, TAKEN_AHEAD).unwrap();
        for _ in 0..times {
            reader.begin_post(TOKENIZE, request.len(), "").unwrap();
            reader.send(request).unwrap();
        }
        assert!(reader.has_bytes_within(PATIENCE).unwrap());
        reader
    }

    /// Returns the number of answers that were refused for want of room.
    fn refused(&self) -> f64 {
        let labels = ["family=\"tei\"", "code=\"server.answers\""];
        sum(&scrape(&self.served), "ampoule_http_errors_total", &labels)
    }

    fn resident_bytes(&self) -> u64 {
        self.served.resident_bytes()
    }
}

#[test]
fn large_answers_that_nobody_takes_grow_the_server_little_and_end_at_the_stall_time() {
    // Room for three of these answers.
    let toy = Toy::start(&["--bodies-bytes", "64MiB", "--stall-timeout", "3s"]);
    let (large, length) = request(256);
    assert!(length > 1 << 20);
    for _ in 0..4 {
        assert_eq!(toy.tokenize(&large).body.len(), length);
    }
    let rest = toy.resident_bytes();
    let text = large.to_string();
    let mut readers: Vec<_> = (0..40).map(|_| toy.unread(&text, 1)).collect();
    let grown = toy.resident_bytes().saturating_sub(rest);
    assert!(grown <= ALLOWED_GROWTH, "{grown}");
    assert!(toy.refused() > 0.0, "all of them have room");
    assert_eq!(toy.tokenize(&request(1).0).status, 200);

    let begun = Instant::now();
    while toy.tokenize(&large).status != 200 {
        assert!(begun.elapsed() < PATIENCE, "the room is not given back");
        std::thread::sleep(Duration::from_millis(50));
    }
    let first = readers.remove(0).answer();
    assert!(first.is_err(), "the first reader has all of the answer");
}

#[test]
fn of_small_answers_that_nobody_takes_a_connection_holds_one() {
    let toy = Toy::start(&["--connections", "200"]);
    let (small, length) = request(12);
    assert!((48 << 10..64 << 10).contains(&length), "{length}");
    for _ in 0..4 {
        assert_eq!(toy.tokenize(&small).body.len(), length);
    }
    let rest = toy.resident_bytes();
    let text = small.to_string();
    let readers: Vec<_> = (0..150).map(|_| toy.unread(&text, 10)).collect();
    let grown = toy.resident_bytes().saturating_sub(rest);
    assert!(grown <= ALLOWED_GROWTH, "{grown}");
    assert!(readers.len() * 10 * length > 2 * ALLOWED_GROWTH as usize);
    assert_eq!(toy.refused(), 0.0, "small answers take no room");
}

/// The system holds megabytes of an answer unless it is told otherwise, and tells of what its reader takes in steps of a
/// third of them.
#[test]
fn a_steady_slow_reader_of_a_large_answer_gets_all_of_it_and_holds_no_guest() {
    let stall_time = Duration::from_millis(1_500);
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    let model = block_on(host.load(acme.every_task().write().path())).unwrap();
    let settings = ServiceSettings {
        connections: ConnectionSettings {
            stall_time,
            ..ConnectionSettings::default()
        },
        ..ServiceSettings::default()
    };
    let server = ServedHere::start(host, settings, model);
    let (large, length) = request(1_700);
    let large = large.to_string();
    let mut reader = RawClient::connect_taking(server.address(), 64 << 10).unwrap();
    reader.begin_post(TOKENIZE, large.len(), "").unwrap();
    reader.send(&large).unwrap();
    assert!(reader.has_bytes_within(PATIENCE).unwrap());
    let begun = Instant::now();
    while begun.elapsed() < 2 * stall_time {
        reader.take(32 << 10).unwrap();
        let counters = server.counters();
        assert_eq!((counters.sandboxes, counters.running), (0, 0));
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = reader.answer().unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, length));
}
