//! Floods of clients that vanish, of models that there are not, and of connections: the server stays as it was.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ampoule::Host;
use ampoule_server::{Models, Service, ServiceSettings, serve};
use ampoule_tests::{Publisher, RawClient, Served, ampoule, host_trusting, test_guest};
use serde_json::json;

/// Growth of the resident memory that is allowed: that of pools and of the allocator.
const ALLOWED_GROWTH: u64 = 32 << 20;

/// Serves a guest in this process, and returns the host for a look at its counters.
fn serve_here(guest: &str, task: &str) -> (SocketAddr, Host, mpsc::Sender<()>) {
    let publisher = Publisher::new("acme");
    let bundle = publisher
        .bundle(test_guest(guest))
        .tasks(&[task])
        .set("/limits/deadline_ms", json!(5_000))
        .write();
    let host = host_trusting(&publisher);
    let (sender, receiver) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let here = host.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let models = Models::default();
            let slot = models.add("m", &[]).unwrap();
            slot.serve_fixed(here.load(bundle.path()).await.unwrap());
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let service = Service::new(here, models, ServiceSettings::default());
            let shutdown = tokio::task::spawn_blocking(move || {
                let _ = ended.recv();
            });
            let shutdown = async {
                let _ = shutdown.await;
            };
            serve(listener, service, shutdown, Duration::ZERO).await;
        });
    });
    (receiver.recv().unwrap(), host, end)
}

/// Waits until so many sandboxes exist, and returns the time.
fn wait_for_sandboxes(host: &Host, count: usize) -> Duration {
    let begun = Instant::now();
    while host.counters().serving.sandboxes != count {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            host.counters().serving
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    begun.elapsed()
}

/// A client that goes away frees its slot within this time.
const SLOT_TIME: Duration = Duration::from_millis(25);

fn slot_is_freed(guest: &str, task: &str, path: &str, body: &serde_json::Value, is_begun: bool) {
    let (address, host, _end) = serve_here(guest, task);
    // Others share the machine, so the best of a few counts; none may take long.
    let times = (0..5).map(|_| {
        let mut client = RawClient::connect(address).unwrap();
        let body = body.to_string();
        client.begin_post(path, body.len(), "").unwrap();
        client.send(&body).unwrap();
        wait_for_sandboxes(&host, 1);
        if is_begun {
            assert!(client.has_bytes_within(Duration::from_secs(10)).unwrap());
        }
        client.vanish();
        wait_for_sandboxes(&host, 0)
    });
    let times: Vec<Duration> = times.collect();
    assert!(times.iter().min() <= Some(&SLOT_TIME), "{times:?}");
    assert!(
        times.iter().max() <= Some(&Duration::from_secs(1)),
        "{times:?}"
    );
}

#[test]
fn a_client_that_goes_away_frees_its_slot_while_a_guest_computes() {
    let body = json!({ "model": "m", "input": "a" });
    slot_is_freed(
        "never_returns",
        "text-embedding",
        "/v1/embeddings",
        &body,
        false,
    );
}

#[test]
fn a_client_that_goes_away_in_a_stream_frees_its_slot() {
    let body = json!({ "model": "m", "prompt": "a", "stream": true });
    slot_is_freed(
        "generation_blocks",
        "text-generation",
        "/v1/completions",
        &body,
        true,
    );
}

/// Reads the resident memory of a server, in bytes.
fn resident(served: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() << 10
}

#[test]
fn memory_stays_flat_under_invented_models_and_slow_connections() {
    let served = Served::start(&mut ampoule(), &["--connections", "200"]);
    let mut client = served.connect();
    for _ in 0..50 {
        assert_eq!(client.get("/v1/models").unwrap().status, 200);
    }
    let rest = resident(&served);
    for number in 0..2_000 {
        let body = json!({ "model": format!("invented-{number}"), "input": "a" });
        assert_eq!(client.post("/v1/embeddings", &body).unwrap().status, 404);
    }
    let mut slow = Vec::new();
    for _ in 0..600 {
        let mut client = served.connect();
        client.begin_post("/v1/embeddings", 2 << 20, "").unwrap();
        slow.push(client);
    }
    drop(slow);
    let mut slow = Vec::new();
    for _ in 0..600 {
        let mut client = served.connect();
        client.send("POST /v1/embeddings HTTP/1.1\r\n").unwrap();
        slow.push(client);
    }
    let mut good = served.connect();
    assert_eq!(good.get("/v1/models").unwrap().status, 200);
    let growth = resident(&served).saturating_sub(rest);
    assert!(growth <= ALLOWED_GROWTH, "{growth} bytes over {rest}");
}
