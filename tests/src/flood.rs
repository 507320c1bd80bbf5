//! Floods of a server: connections that are slow, bodies that are too large, models that there are not, and clients that
//! vanish. The server stays as it was, and the next good request is answered.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::operator::Operator;
use crate::process::ampoule;
use crate::raw_client::RawClient;
use crate::served::Served;
use crate::test_guest;

/// Growth of the resident memory that is allowed.
const ALLOWED_GROWTH: u64 = 32 << 20;

/// Clients that stream at once before anything is measured. They use every sandbox, so that the pool of sandboxes has grown
/// to its size.
const WARMING: usize = 128;

/// Bytes that a client announces and never sends.
const ANNOUNCED: usize = 2 << 30;

/// The size of each flood.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// Requests for models that there are not.
    pub invented_models: usize,
    /// Connections whose heads never end.
    pub slow_heads: usize,
    /// Connections whose bodies never come.
    pub slow_bodies: usize,
    /// Bodies of 2 GiB that are announced.
    pub announced: usize,
    /// Clients that vanish in the middle of a stream.
    pub vanishing: usize,
}

/// The memory of the server after each flood.
#[derive(Clone, Debug)]
pub struct FloodReport {
    /// Resident bytes before the floods.
    pub rest: u64,
    /// Name of the flood, resident bytes after it, and the time that it took.
    pub rows: Vec<(&'static str, u64, Duration)>,
}

impl FloodReport {
    /// Returns the most that the memory grew over the rest.
    #[must_use]
    pub fn growth(&self) -> u64 {
        let most = self.rows.iter().map(|(_, bytes, _)| *bytes).max();
        most.unwrap_or_default().saturating_sub(self.rest)
    }

    /// Tells whether the memory stayed flat.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.growth() <= ALLOWED_GROWTH
    }
}

impl fmt::Display for FloodReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(f, "{:>7.1} MiB at rest", mib(self.rest))?;
        for (name, bytes, time) in &self.rows {
            writeln!(
                f,
                "{:>7.1} MiB after {name} ({:.1} s)",
                mib(*bytes),
                time.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

/// A server with a model that answers and one that never ends.
struct Flooded {
    served: Served,
}

/// Floods a server of the built command with these further arguments.
///
/// # Panics
///
/// If a good request is not answered, or a bad one is not refused as it should be.
#[must_use]
pub fn flood(size: Flood, arguments: &[&str]) -> FloodReport {
    let operator = Operator::new();
    let good = operator.good().named("good").write();
    let endless = test_guest("endless_generation");
    let endless = operator
        .publisher()
        .bundle(endless)
        .named("endless")
        .tasks(&["text-generation"])
        .write();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("ampoule.toml");
    let table = |name: &str, path: &std::path::Path| {
        format!("[[model]]\nname = {name:?}\npath = {path:?}\n")
    };
    let text = [table("good", good.path()), table("endless", endless.path())].concat();
    std::fs::write(&config, text).unwrap();
    let mut command = ampoule();
    command
        .arg("--trust")
        .arg(operator.trust())
        .arg("--config")
        .arg(config);
    let flooded = Flooded {
        served: Served::start(&mut command, arguments),
    };
    flooded.vanish(WARMING);
    for _ in 0..100 {
        flooded.good();
    }
    let mut report = FloodReport {
        rest: flooded.served.resident_bytes(),
        rows: Vec::new(),
    };
    let mut run = |name, count: usize, flood: fn(&Flooded, usize)| {
        let begun = Instant::now();
        flood(&flooded, count);
        flooded.good();
        report
            .rows
            .push((name, flooded.served.resident_bytes(), begun.elapsed()));
    };
    run(
        "requests for invented models",
        size.invented_models,
        Flooded::invent,
    );
    run(
        "connections with slow heads",
        size.slow_heads,
        |flooded, count| {
            flooded.stall(count, |client| {
                client.send("POST /v1/embeddings HTTP/1.1\r\n")
            });
        },
    );
    run(
        "connections with slow bodies",
        size.slow_bodies,
        |flooded, count| {
            flooded.stall(count, |client| {
                client.begin_post("/v1/embeddings", 2 << 20, "")
            });
        },
    );
    run(
        "bodies of 2 GiB announced",
        size.announced,
        Flooded::announce,
    );
    run(
        "clients that vanish in a stream",
        size.vanishing,
        Flooded::vanish,
    );
    report
}

impl Flooded {
    /// Asks the model that answers, and again where the server is busy, as clients do.
    fn good(&self) {
        let begun = Instant::now();
        loop {
            let body = json!({"model": "good", "input": "a text"});
            let answer = self.served.connect().post("/v1/embeddings", &body);
            if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
                return;
            }
            // A connection that is about to ask may have been closed to make room, and the server may be busy still.
            let is_passing = answer
                .as_ref()
                .map_or(true, |answer| matches!(answer.status, 429 | 503));
            assert!(
                is_passing && begun.elapsed() < Duration::from_secs(60),
                "{answer:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn invent(&self, count: usize) {
        let mut client = self.served.connect();
        for number in 0..count {
            let body = json!({ "model": format!("invented-{number}"), "input": "a" });
            assert_eq!(client.post("/v1/embeddings", &body).unwrap().status, 404);
        }
    }

    /// Opens connections that come to a stop, and keeps all of them.
    fn stall(&self, count: usize, stop: fn(&mut RawClient) -> io::Result<()>) {
        let mut stalled = Vec::with_capacity(count);
        for index in 0..count {
            let mut client = self.served.connect();
            // The server may have closed it to make room.
            let _ = stop(&mut client);
            stalled.push(client);
            if index % 1_000 == 999 {
                self.good();
            }
        }
        self.good();
    }

    fn announce(&self, count: usize) {
        for _ in 0..count {
            let mut client = self.served.connect();
            client.begin_post("/v1/embeddings", ANNOUNCED, "").unwrap();
            assert_eq!(client.answer().unwrap().status, 413);
        }
    }

    /// Lets clients vanish after the beginning of a stream. Some at once, since each has a guest.
    fn vanish(&self, count: usize) {
        let body: Value = json!({
            "model": "endless", "stream": true, "messages": [{"role": "user", "content": "x"}],
        });
        let body = body.to_string();
        let mut left = count;
        while left > 0 {
            let together = left.min(32);
            let clients = (0..together).map(|_| {
                let mut client = self.served.connect();
                client
                    .begin_post("/v1/chat/completions", body.len(), "")
                    .unwrap();
                client.send(&body).unwrap();
                client
            });
            let mut clients: Vec<RawClient> = clients.collect();
            for client in &mut clients {
                let has_begun = client.has_bytes_within(Duration::from_secs(30)).unwrap();
                assert!(has_begun, "a stream does not begin");
            }
            clients.into_iter().for_each(RawClient::vanish);
            left -= together;
        }
    }
}
