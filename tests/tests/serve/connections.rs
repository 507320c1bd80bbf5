//! Connections: bounded in number and in time, and closed so that the last answer arrives.

use std::io;
use std::time::{Duration, Instant};

use ampoule::Limits;
use ampoule_server::{ConnectionSettings, ServiceSettings};
use ampoule_tests::{
    Publisher, RawClient, Served, ServedHere, SharedServer, ampoule, block_on, host_with_limits,
    test_guest,
};
use serde_json::json;

use crate::metrics::{scrape, sum};

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(60);

fn served(arguments: &[&str]) -> Served {
    Served::listening(&mut ampoule(), arguments)
}

#[test]
fn a_head_that_comes_too_slowly_is_refused_in_the_familys_form() {
    let served = served(&["--head-timeout", "300ms"]);
    let mut openai = served.connect();
    openai
        .send("POST /v1/embeddings HTTP/1.1\r\nhost:")
        .unwrap();
    let mut ollama = served.connect();
    ollama.send("POST /api/embed HTTP/1.1\r\n").unwrap();
    let mut silent = served.connect();
    let answer = openai.answer().unwrap();
    assert_eq!(answer.status, 408);
    assert_eq!(answer.json()["error"]["code"], "input.head-timeout");
    assert!(answer.head.contains("x-request-id: "), "{}", answer.head);
    assert_eq!(openai.to_end().unwrap().0, 0);
    assert!(ollama.answer().unwrap().json()["error"].is_string());
    assert_eq!(silent.to_end().unwrap().0, 0, "it has asked nothing");
}

#[test]
fn a_byte_now_and_then_keeps_no_connection_open() {
    let served = served(&["--head-timeout", "300ms"]);
    let mut slow = served.connect();
    let begun = Instant::now();
    let mut is_open = true;
    slow.send("GET /healthz HTTP/1.1\r\nx: ").unwrap();
    while is_open {
        assert!(begun.elapsed() < PATIENCE, "still open");
        is_open = slow.send("a").is_ok()
            && !matches!(slow.has_bytes_within(Duration::from_millis(30)), Ok(true));
    }
}

#[test]
fn an_idle_connection_outlives_the_time_for_a_head() {
    let served = served(&["--head-timeout", "100ms", "--keep-alive-timeout", "5m"]);
    let mut client = served.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/healthz").unwrap().status, 200);
        std::thread::sleep(Duration::from_millis(400));
    }
    assert_eq!(client.get("/healthz").unwrap().status, 200);
}

#[test]
fn an_idle_connection_is_closed_cleanly_at_its_time() {
    let served = served(&["--keep-alive-timeout", "200ms"]);
    let mut client = served.connect();
    assert_eq!(client.get("/healthz").unwrap().status, 200);
    // A client that reads for longer than half a minute gives up.
    let (bytes, _) = client.to_end().unwrap();
    assert_eq!(bytes, 0, "an end without a word and without an error");
}

#[test]
fn pools_of_clients_keep_connections_for_a_shorter_time_than_the_server() {
    let settings = ConnectionSettings::default();
    assert!(settings.idle_time >= Duration::from_secs(95));
}

#[test]
fn a_new_connection_takes_the_place_of_one_that_waits() {
    // None of them is over its time while the test runs.
    let served = served(&["--connections", "4", "--head-timeout", "10m"]);
    let mut waiting: Vec<RawClient> = Vec::new();
    for count in 0..24 {
        let mut client = served.connect();
        if count % 2 == 0 {
            client.send("GET /healthz HTTP/1.1\r\n").unwrap();
        }
        waiting.push(client);
    }
    let mut good = served.connect();
    assert_eq!(good.get("/healthz").unwrap().status, 200);
    // The oldest have gone, and those who had asked nothing are told nothing.
    let oldest = waiting[1].to_end();
    assert!(matches!(oldest, Ok((0, _))), "{oldest:?}");
}

/// Returns a server of a model whose answers go on for as long as somebody reads them, with room for two connections.
fn endless_server() -> ServedHere {
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    (limits.deadline, limits.idle, limits.chunks) = (PATIENCE, PATIENCE, 1_000_000);
    let host = host_with_limits(&acme, limits);
    let bundle = acme
        .bundle(test_guest("endless_generation"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(PATIENCE.as_millis()))
        .write();
    let model = block_on(host.load(bundle.path())).unwrap();
    let settings = ServiceSettings {
        connections: ConnectionSettings {
            connections: 2,
            stall_time: PATIENCE,
            ..ConnectionSettings::default()
        },
        ..ServiceSettings::default()
    };
    ServedHere::start(host, settings, model)
}

#[test]
fn a_connection_beyond_those_that_are_busy_is_refused_in_the_familys_form() {
    let server = endless_server();
    let body = json!({"model": "model", "stream": true, "prompt": "x"}).to_string();
    let mut busy: Vec<RawClient> = (0..2).map(|_| server.connect()).collect();
    for client in &mut busy {
        client
            .begin_post("/v1/completions", body.len(), "")
            .unwrap();
        client.send(&body).unwrap();
        assert!(client.has_bytes_within(PATIENCE).unwrap(), "it is answered");
    }
    let refused = server.connect().get("/v1/models").unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"]["code"], "server.connections");
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert!(refused.head.contains("x-request-id: "), "{}", refused.head);
    for client in &mut busy {
        assert!(client.has_bytes_within(PATIENCE).unwrap(), "it goes on");
    }
    drop(busy);
    // The next good request is answered, once the server has noticed.
    let begun = Instant::now();
    loop {
        let answer = server.connect().get("/metrics");
        if let Ok(answer) = answer.as_ref()
            && answer.status == 200
        {
            let text = String::from_utf8_lossy(&answer.body);
            let refused = text
                .lines()
                .find_map(|line| line.strip_prefix("ampoule_connections_refused_total "));
            assert!(refused.unwrap().parse::<f64>().unwrap() >= 1.0, "{text}");
            let labels =
                "ampoule_http_errors_total{family=\"openai\",code=\"server.connections\"} 1";
            assert!(text.contains(labels), "{text}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_request_that_cannot_be_read_is_refused_in_the_familys_form() {
    let server = SharedServer::get();
    let long = "a".repeat(40 << 10);
    let many: String = (0..150).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (head, status, code) in [
        (
            format!("GET /v1/models HTTP/1.1\r\nx: {long}\r\n\r\n"),
            431,
            "input.head-too-large",
        ),
        (
            format!("GET /v1/models HTTP/1.1\r\n{many}\r\n"),
            431,
            "input.head-too-large",
        ),
        (
            format!("GET /v1/models?{} HTTP/1.1\r\n\r\n", &long[..10 << 10]),
            414,
            "input.address-too-long",
        ),
        (
            "GET /v1/models HTTP/9\r\n\r\n".to_owned(),
            400,
            "input.http",
        ),
        (
            "GET /v1/models HTTP/1.1\r\na b: 1\r\n\r\n".to_owned(),
            400,
            "input.http",
        ),
    ] {
        let mut client = server.connect();
        client.send(&head).unwrap();
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.json()["error"]["code"], code);
        assert!(answer.head.contains("x-request-id: "), "{}", answer.head);
    }
    let mut after = server.connect();
    assert_eq!(after.get("/healthz").unwrap().status, 200);
    after
        .send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .unwrap();
    assert_eq!(after.answer().unwrap().status, 400, "it is no HTTP");
}

/// Waits until the server has this connection alone.
#[track_caller]
fn wait_until_only_one_is_open(served: &Served) {
    let begun = Instant::now();
    loop {
        // Over the agent's one connection.
        let open = sum(&scrape(served), "ampoule_connections", &[]);
        if open <= 1.0 {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{open} are open");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_reader_who_takes_nothing_is_let_go() {
    let served = served(&["--stall-timeout", "700ms"]);
    let mut client = served.connect();
    let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let length = served.get("/openapi.json").body.len();
    // More than the system holds for a reader who does not read.
    let times = (64 << 20) / length;
    let sent: io::Result<()> = client.send(request.repeat(times));
    wait_until_only_one_is_open(&served);
    let read = client.to_end();
    let is_whole = sent.is_ok() && matches!(&read, Ok((bytes, _)) if *bytes >= times * length);
    assert!(!is_whole, "{sent:?} {read:?}");
}

#[test]
fn a_reader_who_is_slow_but_reads_gets_everything() {
    let stall_time = Duration::from_secs(3);
    let served = served(&["--stall-timeout", "3s"]);
    let mut client = served.connect();
    let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let length = served.get("/openapi.json").body.len();
    let times = (16 << 20) / length;
    client.send(request.repeat(times)).unwrap();
    let begun = Instant::now();
    for number in 0..times {
        if number % (times / 20).max(1) == 0 {
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(client.answer().unwrap().body.len(), length, "{number}");
    }
    assert!(begun.elapsed() > stall_time, "it was not slow");
}
