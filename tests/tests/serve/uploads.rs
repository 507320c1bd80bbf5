//! Uploads: bounded in bytes and in time, and a refusal reaches the client that is still sending.

use std::time::{Duration, Instant};

use ampoule_tests::{Operator, RawClient, Served, SharedServer, ampoule};
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::json;

/// A body of an upload that takes a while even on this machine: more than the system holds for a reader who does not read.
const LARGE: usize = 12 << 20;

const EMBEDDINGS: &str = "/v1/embeddings";

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns a server of small bodies, with these further options.
fn small_bodies(options: &[&str]) -> Served {
    let small = ["--body-bytes", "1MiB", "--bodies-bytes", "1MiB"];
    Served::listening(&mut ampoule(), &[&small, options].concat())
}

/// A body whose values take much more room than its bytes, and an address that takes long to be read, are refused at once.
#[test]
fn a_body_that_costs_more_than_its_bytes_is_refused_at_once() {
    let served = Served::built_in();
    let tools = format!(
        r#"{{"model": "tiny-vlm", "messages": [], "tools": [{}]}}"#,
        vec![r#"{"":0}"#; 100_000].join(",")
    );
    let parameters: String = (0..100_000).map(|number| format!(";{number}=1")).collect();
    let picture = json!({"model": "tiny-vlm", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": format!("data:image/png{parameters},x")}},
    ]}]});
    for body in [tools, picture.to_string()] {
        let begun = Instant::now();
        let reply = served.post_bytes("/v1/chat/completions", &[], body.as_bytes());
        assert_eq!(reply.status, 400, "{}", reply.text());
        // A quadratic reader takes a quarter of a minute on a fast machine.
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_client_that_is_still_sending_sees_why_it_is_refused() {
    let served = small_bodies(&["--linger-timeout", "1m"]);
    let body = vec![b' '; LARGE];
    for (path, status, code) in [
        (EMBEDDINGS, 413, "input.body-too-large"),
        ("/v1/nothing", 404, "route.unknown"),
        ("/v1/models", 405, "route.method"),
    ] {
        let mut client = served.connect();
        client.begin_post(path, body.len(), "").unwrap();
        client.send(&body).unwrap();
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["error"]["code"], code, "{path}");
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
        assert_eq!(client.to_end().unwrap().0, 0, "{path}");
    }
}

#[test]
fn a_client_whose_chunks_are_too_many_sees_it() {
    let served = small_bodies(&["--linger-timeout", "1m"]);
    let mut client = served.connect();
    let head =
        "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(head).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..LARGE / 0x10000 {
        client.send(&chunk).unwrap();
    }
    client.send("0\r\n\r\n").unwrap();
    let answer = client.answer().unwrap();
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["error"]["code"], "input.body-too-large");
}

#[test]
fn a_body_that_is_announced_too_large_is_refused_before_it_comes() {
    let served = small_bodies(&["--body-timeout", "10m", "--linger-timeout", "1s"]);
    let mut client = served.connect();
    client.begin_post(EMBEDDINGS, 2 << 30, "").unwrap();
    // Nothing of the body is sent before the answer.
    let answer = client.answer().unwrap();
    assert_eq!(answer.status, 413);
    // Whoever goes on sending is let go after a bounded time.
    let begun = Instant::now();
    while client.send([b' '; 64]).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "still read");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_body_that_comes_too_slowly_is_refused() {
    let served = small_bodies(&["--body-timeout", "700ms"]);
    let mut client = served.connect();
    client.begin_post("/api/embed", 1_000, "").unwrap();
    client.send("{").unwrap();
    let answer = client.answer().unwrap();
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(answer.json()["error"].is_string(), "{answer:?}");
}

#[test]
fn bodies_of_all_requests_together_are_bounded() {
    let served = small_bodies(&[]);
    let most = vec![b' '; 700 << 10];
    let mut clients = [served.connect(), served.connect()];
    for client in &mut clients {
        client.begin_post(EMBEDDINGS, most.len() + 1, "").unwrap();
        client.send(&most).unwrap();
    }
    // Only one of the two fits, and nobody says which is read first.
    let begun = Instant::now();
    let refused = loop {
        let answered = clients
            .iter_mut()
            .position(|client| client.has_bytes_within(Duration::from_millis(20)).unwrap());
        if let Some(answered) = answered {
            break answered;
        }
        assert!(begun.elapsed() < PATIENCE, "both fit");
    };
    let answer = clients[refused].answer().unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "server.bodies");
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    let accepted = &mut clients[1 - refused];
    accepted.send("{").unwrap();
    assert_eq!(accepted.answer().unwrap().status, 400);
    // Its room is free again.
    let mut third = served.connect();
    third.begin_post(EMBEDDINGS, most.len(), "").unwrap();
    third.send(&most).unwrap();
    assert_eq!(third.answer().unwrap().status, 400);
}

/// Tells whether a body that is not small is refused for want of room, so that others hold it.
#[track_caller]
fn is_room_held(served: &Served) -> bool {
    let reply = served.post_bytes(EMBEDDINGS, &[], &vec![b' '; 200 << 10]);
    assert!([400, 503].contains(&reply.status), "{}", reply.text());
    reply.status == 503 && reply.json()["error"]["code"] == "server.bodies"
}

/// Begins an upload of 1 MiB that does not end, and returns its connection once it holds that much room.
fn hold_room(served: &Served) -> RawClient {
    // A thousandth of it is sent: the bytes that come out take the room.
    let packed = compress_to_vec_zlib(&vec![b' '; 1 << 20], 9);
    assert!(packed.len() < 4 << 10, "{}", packed.len());
    let begun = Instant::now();
    loop {
        let mut slow = served.connect();
        let coding = "content-encoding: deflate\r\n";
        slow.begin_post(EMBEDDINGS, packed.len(), coding).unwrap();
        slow.send(&packed[..packed.len() - 1]).unwrap();
        // Its last part is refused where the look at the room has taken that much just then.
        while !slow.has_bytes_within(Duration::from_millis(50)).unwrap() {
            if is_room_held(served) {
                return slow;
            }
            assert!(begun.elapsed() < PATIENCE, "the room is not held");
        }
    }
}

#[test]
fn a_small_request_is_answered_while_large_uploads_hold_all_room() {
    let operator = Operator::new();
    let bundle = operator.good().named("m").write();
    let mut command = ampoule();
    command.arg("--trust").arg(operator.trust());
    let path = bundle.path().to_str().unwrap();
    let bounds = [
        "--body-bytes",
        "1MiB",
        "--bodies-bytes",
        "1MiB",
        "--body-timeout",
        "10m",
    ];
    let served = Served::start(&mut command, &[&["--model", path], &bounds[..]].concat());
    let name = bundle.path().file_stem().unwrap().to_str().unwrap();
    let slow = hold_room(&served);
    let small = json!({ "model": name, "input": "a", "user": "x".repeat(60 << 10) });
    for _ in 0..3 {
        let reply = served.post(EMBEDDINGS, &small);
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert!(is_room_held(&served), "it was held all the time");
    slow.vanish();
    let begun = Instant::now();
    while is_room_held(&served) {
        assert!(begun.elapsed() < PATIENCE, "nobody holds it any more");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_photo_in_base64_is_no_too_large_body() {
    let server = SharedServer::get();
    let mut client = server.connect();
    let body = json!({ "model": "every-task", "input": "a" }).to_string();
    let body = format!("{body}{}", " ".repeat(LARGE));
    client.begin_post(EMBEDDINGS, body.len(), "").unwrap();
    client.send(body).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn who_waits_for_100_gets_it_at_once_or_not_at_all() {
    let server = SharedServer::get();
    let expect = "expect: 100-continue\r\n";
    let body = json!({ "model": "every-task", "input": "a" }).to_string();

    let mut accepted = server.connect();
    accepted.begin_post(EMBEDDINGS, body.len(), expect).unwrap();
    // Nothing is sent before it: a server that waits for the body says nothing.
    assert_eq!(accepted.answer().unwrap().status, 100);
    accepted.send(&body).unwrap();
    assert_eq!(accepted.answer().unwrap().status, 200);

    for (path, length, status) in [
        (EMBEDDINGS, 2 << 30, 413),
        ("/v1/nothing", 10, 404),
        ("/v1/models", 10, 405),
    ] {
        let mut refused = server.connect();
        refused.begin_post(path, length, expect).unwrap();
        assert_eq!(refused.answer().unwrap().status, status, "{path}");
    }
}

#[test]
fn a_connection_is_good_for_a_next_request_after_a_small_refused_one() {
    let server = SharedServer::get();
    let mut client = server.connect();
    for _ in 0..3 {
        client.begin_post("/v1/nothing", 2, "").unwrap();
        // Two packets, as most clients send them.
        std::thread::sleep(Duration::from_millis(5));
        client.send("{}").unwrap();
        assert_eq!(client.answer().unwrap().status, 404);
    }
    assert_eq!(client.get("/healthz").unwrap().status, 200);
}
