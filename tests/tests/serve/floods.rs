//! Floods of models that there are not, of uploads and of slow connections: the server stays as it was.

use ampoule_tests::{Served, ampoule};
use serde_json::json;

/// Growth of the resident memory that is allowed: that of pools and of the allocator.
const ALLOWED_GROWTH: u64 = 32 << 20;

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
