//! Connections: bounded in number and in time, and closed so that the last answer arrives.

use std::io;
use std::time::{Duration, Instant};

use ampoule_server::ConnectionSettings;
use ampoule_tests::{RawClient, Served, SharedServer, ampoule};

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
    let begun = Instant::now();
    let answer = openai.answer().unwrap();
    assert_eq!(answer.status, 408);
    assert_eq!(answer.json()["error"]["code"], "input.head-timeout");
    assert!(answer.head.contains("x-request-id: "), "{}", answer.head);
    assert_eq!(openai.to_end().unwrap().0, 0);
    assert!(ollama.answer().unwrap().json()["error"].is_string());
    assert_eq!(silent.to_end().unwrap().0, 0, "it has asked nothing");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_byte_now_and_then_keeps_no_connection_open() {
    let served = served(&["--head-timeout", "300ms"]);
    let mut slow = served.connect();
    let begun = Instant::now();
    let mut is_open = true;
    slow.send("GET /healthz HTTP/1.1\r\nx: ").unwrap();
    while is_open {
        assert!(begun.elapsed() < Duration::from_secs(5), "still open");
        is_open = slow.send("a").is_ok()
            && !matches!(slow.has_bytes_within(Duration::from_millis(30)), Ok(true));
    }
}

#[test]
fn an_idle_connection_is_good_until_its_time_and_closed_cleanly() {
    let served = served(&["--head-timeout", "100ms", "--keep-alive-timeout", "1500ms"]);
    let mut client = served.connect();
    for _ in 0..2 {
        assert_eq!(client.get("/healthz").unwrap().status, 200);
        std::thread::sleep(Duration::from_millis(900));
    }
    assert_eq!(client.get("/healthz").unwrap().status, 200);
    let (bytes, time) = client.to_end().unwrap();
    assert_eq!(bytes, 0, "an end without a word and without an error");
    assert!(time < Duration::from_secs(5), "{time:?}");
}

#[test]
fn pools_of_clients_keep_connections_for_a_shorter_time_than_the_server() {
    let settings = ConnectionSettings::default();
    assert!(settings.idle_time >= Duration::from_secs(95));
}

#[test]
fn a_new_connection_takes_the_place_of_one_that_waits() {
    let served = served(&["--connections", "4"]);
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
    // The oldest have gone.
    assert_eq!(waiting[1].to_end().unwrap_or_default().0, 0);
}

#[test]
fn a_connection_beyond_those_that_are_busy_is_refused_in_the_familys_form() {
    let served = served(&["--connections", "2"]);
    let mut busy: Vec<RawClient> = (0..2).map(|_| served.connect()).collect();
    for client in &mut busy {
        let expect = "expect: 100-continue\r\n";
        client.begin_post("/v1/embeddings", 2, expect).unwrap();
        assert_eq!(client.answer().unwrap().status, 100, "it is read");
        client.send("{").unwrap();
    }
    let refused = served.connect().get("/v1/models").unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"]["code"], "server.connections");
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    for client in &mut busy {
        client.send("}").unwrap();
        assert_eq!(client.answer().unwrap().status, 400, "it goes on");
    }
    assert_eq!(served.connect().get("/healthz").unwrap().status, 200);
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

#[test]
fn a_reader_who_takes_nothing_is_let_go() {
    let served = served(&["--stall-timeout", "700ms"]);
    let mut client = served.connect();
    let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let length = {
        let mut one = served.connect();
        one.get("/openapi.json").unwrap().body.len()
    };
    // More than the system holds for a reader who does not read.
    let times = (64 << 20) / length;
    let sent: io::Result<()> = client.send(request.repeat(times));
    std::thread::sleep(Duration::from_millis(2_500));
    let read = client.to_end();
    let is_whole = sent.is_ok() && matches!(&read, Ok((bytes, _)) if *bytes >= times * length);
    assert!(!is_whole, "{sent:?} {read:?}");
}

#[test]
fn a_reader_who_is_slow_but_reads_gets_everything() {
    let served = served(&["--stall-timeout", "700ms"]);
    let mut client = served.connect();
    let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let length = served.connect().get("/openapi.json").unwrap().body.len();
    let times = (16 << 20) / length;
    client.send(request.repeat(times)).unwrap();
    for number in 0..times {
        if number % (times / 20).max(1) == 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(client.answer().unwrap().body.len(), length, "{number}");
    }
}
