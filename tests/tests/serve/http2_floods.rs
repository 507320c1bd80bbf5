//! Floods by HTTP/2: each ends its own connection or waits in bounded memory, and good clients are served meanwhile.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ampoule_tests::http2_client::{
    CONTINUATION, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, Http2Client, PING, RST_STREAM,
    SETTINGS, fields, frame, request,
};
use serde_json::json;

use crate::http2::{Secure, body_of, post};

/// Growth of the resident memory that is allowed, over all floods.
const ALLOWED_GROWTH: u64 = 64 << 20;

/// Connections of each flood that are kept open.
const CONNECTIONS: usize = 40;

/// Longest time for an answer to a good client.
const PATIENCE: Duration = Duration::from_secs(20);

/// Code of an end that a client's excess has brought.
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

/// Number of the setting that says how much of each answer may be on the way.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Floods a server, and returns the connections that are still open.
type Flood = fn(&Secure) -> Vec<Http2Client>;

fn resident(server: &Secure) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.served.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() << 10
}

/// Tells whether a connection was ended for its client's excess.
fn is_calmed(frames: &[Frame]) -> bool {
    frames
        .iter()
        .any(|frame| frame.kind == GOAWAY && frame.payload[4..8] == ENHANCE_YOUR_CALM)
}

/// Sends bytes again and again, at most so often, while the other end takes them. Nothing is read.
fn repeat(client: &mut Http2Client, bytes: &[u8], times: usize) {
    let socket = client.stream().socket();
    socket
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    for _ in 0..times {
        if client.send_bytes(bytes).is_err() {
            break;
        }
    }
}

/// Opens streams and takes them back at once (CVE-2023-44487).
fn rapid_reset(server: &Secure) {
    let mut ended = 0;
    for _ in 0..CONNECTIONS {
        let mut client = server.connect();
        let head = request("GET", "/v1/models", &[]);
        for batch in 0..20 {
            let mut bytes = Vec::new();
            for number in 0..100 {
                let stream = (batch * 100 + number) * 2 + 1;
                bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &head));
                bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            }
            if client.send_bytes(&bytes).is_err() {
                break;
            }
        }
        ended += usize::from(is_calmed(&client.to_end()));
    }
    // Where the system tells of a broken connection first, the last frames are lost.
    assert!(ended > 0, "no connection was ended");
}

/// Continues a head without end (CVE-2024-27316).
fn continuations(server: &Secure) {
    for _ in 0..CONNECTIONS {
        let mut client = server.connect();
        client
            .send(HEADERS, END_STREAM, 1, &request("GET", "/", &[]))
            .unwrap();
        let value = "x".repeat(100);
        let piece = fields(&[("a", &value), ("b", &value), ("c", &value)]);
        repeat(
            &mut client,
            &frame(CONTINUATION, 0, 1, &piece).repeat(16),
            2_000,
        );
        let frames = client.to_end();
        assert!(
            frames.iter().all(|frame| frame.kind != HEADERS),
            "it is no request"
        );
    }
}

/// Asks for acknowledgements and reads none.
fn questions(server: &Secure) {
    let kinds = [
        frame(PING, 0, 0, b"pingping").repeat(500),
        frame(SETTINGS, 0, 0, &[]).repeat(500),
    ];
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let mut client = server.connect();
            repeat(
                &mut client,
                &kinds[number % 2],
                if number < 4 { 1_000 } else { 40 },
            );
            client
        })
        .collect();
    drop(clients);
}

/// Asks for large answers, on each stream that there may be, and leaves no room for them.
fn closed_windows(server: &Secure) -> Vec<Http2Client> {
    let head = request("GET", "/openapi.json", &[]);
    let clients = (0..CONNECTIONS).map(|_| {
        let client = crate::tls::client(&["h2"]);
        let settings = [(INITIAL_WINDOW_SIZE, 0)];
        let mut client = Http2Client::connect(&client, server.served.address(), &settings).unwrap();
        for number in 0..32 {
            let flags = END_HEADERS | END_STREAM;
            client.send(HEADERS, flags, number * 2 + 1, &head).unwrap();
        }
        client
    });
    clients.collect()
}

/// Names a long field once and repeats it by a byte each (CVE-2016-6581).
fn packed_heads(server: &Secure) {
    for _ in 0..CONNECTIONS {
        let mut client = server.connect();
        // A literal that goes into the table, with a value of 4,000 bytes (RFC 7541, sections 5.1 and 6.2.1).
        let mut head = request("GET", "/v1/models", &[]);
        head.extend([0x40, 1, b'a', 0x7f, 0xa1, 0x1e]);
        head.extend(vec![b'x'; 4_000]);
        head.extend(vec![0xbe; 12_000]);
        let mut stream = 1;
        while client
            .send(HEADERS, END_HEADERS | END_STREAM, stream, &head)
            .is_ok()
            && stream < 64
        {
            stream += 2;
        }
        let socket = client.stream().socket();
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let frames = client.to_end();
        let is_200 = |frame: &Frame| ampoule_tests::http2_client::is_200(frame);
        assert!(!frames.iter().any(is_200), "a head of 48 MB was read");
    }
}

/// Announces bodies that never come, on each stream that there may be.
fn slow_bodies(server: &Secure) -> Vec<Http2Client> {
    let head = request("POST", "/v1/embeddings", &[("content-length", "2000000")]);
    let clients = (0..CONNECTIONS).map(|_| {
        let mut client = server.connect();
        for number in 0..32 {
            client
                .send(HEADERS, END_HEADERS, number * 2 + 1, &head)
                .unwrap();
        }
        client
    });
    clients.collect()
}

/// A client that asks again and again on one connection, and notes how long each answer takes.
fn good_client(server: &Secure, is_over: &AtomicBool) -> Vec<Duration> {
    let mut client = server.connect();
    let body = json!({"model": "every-task", "input": "a text"});
    let mut times = Vec::new();
    let mut stream = 1;
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        post(&mut client, stream, "/v1/embeddings", &body);
        body_of(&mut client, stream);
        times.push(begun.elapsed());
        stream += 2;
    }
    times.sort();
    times
}

#[test]
fn floods_by_http2_take_bounded_memory_and_good_clients_are_served_meanwhile() {
    let server = Arc::new(Secure::start(&[
        "--connections",
        "200",
        "--stall-timeout",
        "2s",
        "--body-timeout",
        "2s",
        "--head-timeout",
        "2s",
        "--keep-alive-timeout",
        "2s",
    ]));
    let floods: [(&str, Flood); 6] = [
        ("rapid resets", |server| {
            rapid_reset(server);
            Vec::new()
        }),
        ("continuations", |server| {
            continuations(server);
            Vec::new()
        }),
        ("pings and settings", |server| {
            questions(server);
            Vec::new()
        }),
        ("packed heads", |server| {
            packed_heads(server);
            Vec::new()
        }),
        ("closed windows", closed_windows),
        ("slow bodies", slow_bodies),
    ];
    let quiet = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let good = scope.spawn(|| good_client(&server, &quiet));
        std::thread::sleep(Duration::from_millis(500));
        quiet.store(true, Ordering::Relaxed);
        good.join().unwrap();
    });
    let rest = resident(&server);
    let mut report = String::new();
    let mut most = rest;
    for (name, flood) in floods {
        let begun = Instant::now();
        let is_over = AtomicBool::new(false);
        let times = std::thread::scope(|scope| {
            let good = scope.spawn(|| good_client(&server, &is_over));
            let kept = flood(&server);
            most = most.max(resident(&server));
            for mut client in kept {
                // Each is ended by the server, within the time of its stream.
                let _ = client.to_end();
            }
            is_over.store(true, Ordering::Relaxed);
            good.join().unwrap()
        });
        most = most.max(resident(&server));
        let slowest = times.last().unwrap();
        assert!(*slowest < PATIENCE, "{name}: {slowest:?}");
        let p99 = times[times.len() * 99 / 100];
        writeln!(
            report,
            "{name}: {:.1} s, {} good answers, p50 {:?}, p99 {p99:?}, {} MiB",
            begun.elapsed().as_secs_f64(),
            times.len(),
            times[times.len() / 2],
            resident(&server) >> 20
        )
        .unwrap();
    }
    let growth = most.saturating_sub(rest);
    assert!(
        growth <= ALLOWED_GROWTH,
        "{} MiB over {}\n{report}",
        growth >> 20,
        rest >> 20
    );
}
