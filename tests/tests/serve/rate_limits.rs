//! Limits of callers: by key, tenant, route and address.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ampoule_access::{KeySettings, Rates, Role};
use ampoule_tests::RawClient;
use serde_json::{Value, json};

use crate::guarded::{Answer, Guarded, requests};

static RUNNING: Mutex<Weak<Limited>> = Mutex::new(Weak::new());

/// Limits of the server that the tests of this file share. Each test has tenants and addresses of its own.
const LIMITS: &str = r#"
[rate-limits]
key = { requests = "6/1h" }
tenant = { requests = "8/1h" }
address = { requests = "20/1h" }

[[rate-limits.route]]
route = "/api/tags"
requests = "3/1h"

[[rate-limits.route]]
route = "/v2/models/{*path}"
requests = "2/1h"
"#;

/// A server with limits, and keys by their tenants' names.
struct Limited {
    server: Guarded,
    keys: Vec<(&'static str, String)>,
}

impl Limited {
    /// Returns the server, and starts it where none runs. The last test that holds it ends it.
    fn get() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return server;
        }
        let (default, own) = (Rates::default(), requests("1000/1h"));
        let server = Arc::new(Self::start(&[
            ("defaults", default),
            ("defaults", default),
            ("own", own),
            ("routes", own),
            ("others", own),
            ("neighbour", default),
            ("headers", default),
        ]));
        *running = Arc::downgrade(&server);
        server
    }

    fn start(tenants: &[(&'static str, Rates)]) -> Self {
        let settings = tenants.iter().map(|(tenant, rates)| {
            let mut settings = KeySettings::new(Role::Infer, tenant.parse().unwrap());
            settings.rates = *rates;
            settings
        });
        let (server, keys) = Guarded::limited(LIMITS, settings.collect());
        let names = tenants.iter().map(|(tenant, _)| *tenant);
        let keys = names.zip(keys).collect();
        Self { server, keys }
    }

    /// Returns the keys of a tenant.
    fn keys(&self, tenant: &str) -> Vec<&str> {
        let keys = self.keys.iter().filter(|(of, _)| *of == tenant);
        keys.map(|(_, key)| key.as_str()).collect()
    }

    /// Counts the requests that are let in before the first that is refused.
    #[track_caller]
    fn let_in(&self, path: &str, key: &str) -> (u32, Answer) {
        for count in 0..100 {
            let answer = self.server.ask("GET", path, &[key], "");
            if answer.status == 429 {
                return (count, answer);
            }
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        panic!("nothing was refused");
    }

    /// Asks from another loopback address.
    fn ask_from(&self, address: &str, path: &str, authorization: &[&str]) -> Answer {
        ask_from(&self.server, address, path, authorization)
    }
}

/// Sends a request from this loopback address.
fn ask_from(server: &Guarded, address: &str, path: &str, authorization: &[&str]) -> Answer {
    let lines: String = authorization
        .iter()
        .map(|value| format!("authorization: {value}\r\n"))
        .collect();
    server.ask_from(address, "GET", path, &lines, "")
}

#[test]
fn keys_without_limits_of_their_own_have_the_default_and_a_tenants_keys_share_its_limits() {
    let limited = Limited::get();
    let [one, two] = limited.keys("defaults")[..] else {
        panic!("two keys");
    };
    let (count, refused) = limited.let_in("/v1/models", one);
    assert_eq!(count, 6);
    assert!(refused.body.contains("this key"), "{refused:?}");
    let (count, refused) = limited.let_in("/v1/models", two);
    assert_eq!(count, 2);
    assert!(refused.body.contains("this tenant"), "{refused:?}");
    assert!(refused.header("ratelimit").starts_with("\"tenant\";r=0;"));
    // A key's own limits go before the default, and none goes before the tenant's.
    let (count, refused) = limited.let_in("/v1/models", limited.keys("own")[0]);
    assert_eq!(count, 8);
    assert!(refused.body.contains("this tenant"), "{refused:?}");
}

#[test]
fn a_route_is_limited_for_each_tenant_and_other_routes_are_not() {
    let limited = Limited::get();
    let key = limited.keys("routes")[0];
    let (count, refused) = limited.let_in("/api/tags", key);
    assert_eq!(count, 3);
    assert!(refused.json()["error"].is_string(), "{refused:?}");
    assert!(refused.body.contains("this route"), "{refused:?}");
    let (count, refused) = limited.let_in("/v2/models/every-task", key);
    assert_eq!(count, 2);
    assert!(refused.body.contains("this route"), "{refused:?}");
    let other = limited.server.ask("GET", "/api/ps", &[key], "");
    assert_eq!(other.status, 200, "{other:?}");
    assert_eq!(limited.let_in("/api/tags", limited.keys("others")[0]).0, 3);
}

#[test]
fn what_strangers_ask_for_counts_for_their_address_and_for_nobody_elses() {
    let limited = Limited::get();
    let here = "127.0.9.1";
    let kinds = [("/v1/nothing", 404), ("/v1/models", 401), ("/healthz", 200)];
    let mut refused = None;
    for count in 0..10 {
        for (path, status) in kinds {
            let answer = limited.ask_from(here, path, &[]);
            assert_eq!(answer.status, status, "{count}: {answer:?}");
        }
    }
    for (path, _) in kinds.iter().take(2) {
        let answer = limited.ask_from(here, path, &[]);
        assert_eq!(answer.status, 429, "{answer:?}");
        refused = Some(answer);
    }
    let refused = refused.unwrap();
    assert!(refused.body.contains("this address"), "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((170..=180).contains(&wait), "{wait}");
    let native = limited.ask_from(here, "/nothing", &[]);
    assert_eq!(native.json()["error"]["code"], "limit.address");
    assert_eq!(limited.ask_from(here, "/healthz", &[]).status, 200);
    let key = limited.keys("neighbour")[0];
    assert_eq!(limited.ask_from(here, "/v1/models", &[key]).status, 200);
    assert_eq!(limited.ask_from(here, "/v1/nothing", &[key]).status, 404);
    assert_eq!(limited.ask_from("127.0.9.2", "/nothing", &[]).status, 404);
}

#[test]
fn an_address_whose_credentials_are_refused_waits_and_a_good_key_from_there_does_not() {
    let limited = Limited::get();
    let here = "127.0.9.3";
    let wrong = format!("Bearer amp_{}_{}", "f".repeat(16), "ab".repeat(32));
    for wrong in [wrong.as_str(), "Bearer sk-of-another-service"]
        .iter()
        .cycle()
        .take(10)
    {
        let answer = limited.ask_from(here, "/v1/models", &[wrong]);
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let refused = limited.ask_from(here, "/v1/models", &[&wrong]);
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.body.contains("credentials"), "{refused:?}");
    let millis: u32 = refused.header("retry-after-ms").parse().unwrap();
    assert!((1..=6_000).contains(&millis), "{millis}");
    let seconds: u32 = refused.header("retry-after").parse().unwrap();
    assert_eq!(seconds, millis.div_ceil(1_000));
    assert_eq!(refused.header("x-should-retry"), "true");
    let key = limited.keys("neighbour")[0];
    assert_eq!(limited.ask_from(here, "/v1/models", &[key]).status, 200);
}

#[test]
fn each_answer_has_the_rate_and_its_rest_in_structured_fields_too() {
    let limited = Limited::get();
    let key = limited.keys("headers")[0];
    for left in (0..6).rev() {
        let answer = limited.server.ask("GET", "/v1/models", &[key], "");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"key\";q=6;w=3600");
        let rest = answer.header("ratelimit");
        assert!(rest.starts_with(&format!("\"key\";r={left};t=")), "{rest}");
    }
    let refused = limited.server.ask("GET", "/v1/models", &[key], "");
    assert_eq!(refused.status, 429);
    assert!(refused.header("ratelimit").starts_with("\"key\";r=0;t="));
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((590..=600).contains(&wait), "{wait}");
    // Nothing that asks nothing of a limit tells of one.
    let probe = limited.server.ask("GET", "/healthz", &[key], "");
    assert!(!probe.head.contains("ratelimit"), "{probe:?}");
}

#[test]
fn callers_without_a_credential_are_let_in_where_the_operator_says_so_within_their_addresss_limits()
{
    let text = "anonymous-role = \"infer\"\n[rate-limits]\naddress = { requests = \"6/1h\" }\n\
                [[rate-limits.route]]\nroute = \"/v1/embeddings\"\nrequests = \"1/1h\"\n";
    let (server, keys) = Guarded::limited(
        text,
        vec![KeySettings::new(Role::Infer, "acme".parse().unwrap())],
    );
    let here = "127.0.9.4";
    let ask = |path: &str, authorization: &[&str]| ask_from(&server, here, path, authorization);
    let models = ask("/v1/models", &[]);
    assert_eq!(models.status, 200, "{models:?}");
    assert!(models.body.contains("every-task"));
    assert_eq!(models.header("ratelimit-policy"), "\"address\";q=6;w=3600");
    let embed = || {
        let body = r#"{"model":"every-task","input":"one"}"#;
        server
            .ask_from(here, "POST", "/v1/embeddings", "", body)
            .status
    };
    assert_eq!((embed(), embed()), (200, 429));
    let metrics = ask("/metrics", &[]);
    assert_eq!(metrics.status, 403, "{metrics:?}");
    let wrong = ask("/v1/models", &["Bearer sk-of-another-service"]);
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let statuses: Vec<u16> = (0..4).map(|_| ask("/v1/models", &[]).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(ask("/v1/models", &[&keys[0]]).status, 200);
    assert_eq!(
        ask_from(&server, "127.0.9.5", "/v1/models", &[]).status,
        200
    );
    let document = ask_from(&server, "127.0.9.5", "/openapi.json", &[]).json();
    let security = |path: &str, method: &str| document["paths"][path][method]["security"].clone();
    let (key, both) = (json!([{"key": []}]), json!([{"key": []}, {}]));
    assert_eq!(security("/v1/embeddings", "post"), both);
    assert_eq!(security("/metrics", "get"), key);
}

/// Requests of one key by clients that do not rest longer than they are told to.
struct Rush {
    /// Requests that were let in.
    let_in: usize,
    /// Time to the answer of the last of them.
    took: Duration,
}

/// Has `clients` clients ask at one time, and for so long.
fn rush(address: SocketAddr, clients: usize, time: Duration, key: &str, request: &str) -> Rush {
    let begun = Instant::now();
    let let_in = Mutex::new(Rush {
        let_in: 0,
        took: Duration::ZERO,
    });
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = RawClient::connect(address).unwrap();
                let head = request.replace("KEY", key);
                while begun.elapsed() < time {
                    client.send(&head).unwrap();
                    let answer = client.answer().unwrap();
                    match answer.status {
                        200 => {
                            let mut rush = let_in.lock().unwrap();
                            rush.let_in += 1;
                            rush.took = begun.elapsed();
                        }
                        429 => {
                            let wait = answer.head.lines().find_map(|line| {
                                line.strip_prefix("retry-after-ms: ")?.parse().ok()
                            });
                            let wait = Duration::from_millis(wait.unwrap());
                            let left = time.saturating_sub(begun.elapsed());
                            thread::sleep(wait.min(Duration::from_millis(100)).min(left));
                        }
                        status => panic!("{status}: {}", answer.head),
                    }
                }
            });
        }
    });
    let_in.into_inner().unwrap()
}

/// Time of the counts. By hand they take longer: CONTRIBUTING.md says how.
fn time_of_counts() -> Duration {
    let seconds = std::env::var("AMPOULE_RATE_SECONDS").ok();
    let seconds = seconds.map_or(6, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

/// Asserts that a count is what a rate and a burst allow, within two percent.
#[track_caller]
fn assert_allowed(count: f64, rate: f64, burst: f64, took: Duration) {
    let allowed = rate.mul_add(took.as_secs_f64(), burst);
    let ratio = count / allowed;
    assert!(
        (0.98..=1.02).contains(&ratio),
        "{count} of {allowed:.1}: {ratio:.4}"
    );
}

#[test]
#[allow(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a test prints what it counted"
)]
fn sixty_four_clients_that_never_rest_get_their_rate_within_two_percent() {
    let server = Guarded::get();
    let key = server.key(Role::Infer, |key| {
        key.rates = Rates {
            // Two seconds of the rate, for a machine that does not get to it for so long.
            burst: 120.try_into().ok(),
            ..requests("60/1s")
        };
    });
    // What making the key known has taken is paid off.
    thread::sleep(Duration::from_millis(600));
    let request = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: KEY\r\n\r\n";
    let rush = rush(server.served.address(), 64, time_of_counts(), &key, request);
    println!("{} requests in {:?}", rush.let_in, rush.took);
    assert_allowed(rush.let_in as f64, 60.0, 120.0, rush.took);
}

#[test]
#[allow(
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a test prints what it counted"
)]
fn tokens_that_are_counted_at_the_end_are_kept_to_their_rate_within_two_percent() {
    const TOKENS: usize = 10;
    let server = Guarded::get();
    let key = server.key(Role::Infer, |key| {
        key.rates = Rates {
            tokens: Some("200/2s".parse().unwrap()),
            ..Rates::default()
        };
    });
    let body = json!({"model": "every-task", "input": "a".repeat(TOKENS)}).to_string();
    // After this one it is known what a request uses.
    let first = server.ask("POST", "/v1/embeddings", &[&key], &body);
    assert_eq!(first.json()["usage"]["total_tokens"], TOKENS);
    thread::sleep(Duration::from_millis(200));
    let request = format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\nauthorization: KEY\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let rush = rush(
        server.served.address(),
        16,
        time_of_counts(),
        &key,
        &request,
    );
    let tokens = rush.let_in * TOKENS;
    println!("{tokens} tokens in {:?}", rush.took);
    assert_allowed(tokens as f64, 100.0, 200.0, rush.took);
}

/// Requests whose costs are counted: path, body, and true where the task has tokens.
fn costly() -> Vec<(&'static str, Value, bool)> {
    let turns = json!([{"role": "user", "content": "one two"}]);
    let pixels = json!({"width": 1, "height": 1, "pixels": "CQkJ"});
    let model = "every-task";
    let mut all = Vec::new();
    for stream in [false, true] {
        let of_streams = [
            (
                "/v1/chat/completions",
                json!({"model": model, "messages": turns, "stream": stream}),
            ),
            (
                "/v1/completions",
                json!({"model": model, "prompt": "one two", "stream": stream}),
            ),
            (
                "/v1/responses",
                json!({"model": model, "input": "one two", "stream": stream}),
            ),
            (
                "/api/chat",
                json!({"model": model, "messages": turns, "stream": stream}),
            ),
            (
                "/api/generate",
                json!({"model": model, "prompt": "one two", "stream": stream}),
            ),
            (
                "/ampoule/v1/models/every-task/text-generation",
                json!({"prompt": "one two", "stream": stream}),
            ),
        ];
        all.extend(of_streams.map(|(path, body)| (path, body, true)));
    }
    let infer = json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1], "data": ["one"]}],
        "outputs": [{"name": "embeddings"}]});
    all.extend([
        (
            "/v1/embeddings",
            json!({"model": model, "input": "one two"}),
            true,
        ),
        (
            "/api/embed",
            json!({"model": model, "input": "one two"}),
            true,
        ),
        (
            "/api/embeddings",
            json!({"model": model, "prompt": "one two"}),
            true,
        ),
        (
            "/embed?model=every-task",
            json!({"inputs": "one two"}),
            true,
        ),
        ("/?model=every-task", json!({"inputs": "one two"}), true),
        (
            "/tokenize?model=every-task",
            json!({"inputs": "one two"}),
            false,
        ),
        ("/v2/models/every-task/infer", infer, true),
        (
            "/ampoule/v1/models/every-task/text-embedding",
            json!({"texts": ["one two"]}),
            true,
        ),
        (
            "/ampoule/v1/models/every-task/text-tokenization",
            json!({"texts": ["one"]}),
            false,
        ),
        (
            "/ampoule/v1/models/every-task/image-embedding",
            json!({"images": [pixels]}),
            false,
        ),
        (
            "/ampoule/v1/models/every-task/image-classification",
            json!({"image": pixels}),
            false,
        ),
    ]);
    all
}

/// Waits until a request that takes nothing is refused for want of this unit. Costs are counted when the last byte of the
/// answer is handed over.
#[track_caller]
fn assert_in_debt(server: &Guarded, key: &str, unit: &str, case: &str) {
    let begun = Instant::now();
    loop {
        let answer = server.ask("GET", "/v1/models", &[key], "");
        if answer.status == 429 {
            assert!(answer.body.contains(unit), "{case}: {answer:?}");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{case}: {unit}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Makes a key of a rate that each request overdraws.
fn poor(unit: &str) -> KeySettings {
    let mut settings = KeySettings::new(Role::Infer, "poor".parse().unwrap());
    let rate = "1/1h".parse().ok();
    match unit {
        "tokens" => settings.rates.tokens = rate,
        _ => settings.rates.fuel = rate,
    }
    settings
}

#[test]
fn each_task_by_each_family_pays_its_tokens_and_its_fuel_whole_and_streamed() {
    let mut cases = Vec::new();
    for (path, body, has_tokens) in costly() {
        let units = if has_tokens {
            &["tokens", "fuel"][..]
        } else {
            &["fuel"]
        };
        cases.extend(units.iter().map(|unit| (path, body.to_string(), *unit)));
    }
    let keys = cases.iter().map(|(_, _, unit)| poor(unit)).collect();
    let (server, keys) = Guarded::limited("", keys);
    for ((path, body, unit), key) in cases.iter().zip(&keys) {
        let case = format!("{path} {body}");
        let answer = server.ask("POST", path, &[key], body);
        assert_eq!(answer.status, 200, "{case}: {answer:?}");
        assert_in_debt(&server, key, unit, &case);
    }
}

#[test]
fn a_generation_that_its_client_leaves_is_paid_as_far_as_it_came() {
    let (server, keys) = Guarded::limited_with(
        "",
        vec![poor("tokens"), poor("fuel")],
        &[("endless", "endless_generation", "text-generation")],
    );
    let body = json!({"model": "endless", "prompt": "And?", "stream": true}).to_string();
    for (key, unit) in keys.iter().zip(["tokens", "fuel"]) {
        let mut client = server.served.connect();
        let more = format!("authorization: {key}\r\n");
        client
            .begin_post("/v1/completions", body.len(), &more)
            .unwrap();
        client.send(&body).unwrap();
        assert!(client.has_bytes_within(Duration::from_secs(30)).unwrap());
        client.vanish();
        assert_in_debt(&server, key, unit, "left");
    }
}

/// Each thread works on one new request at a time. While a request waits for a thread and is worked on, each thread ends
/// about three of the others'; a few more end while it is on its way on a busy machine. In one queue for all, nearly every
/// one that waits would end before it.
#[test]
fn a_tenants_request_waits_about_one_turn_however_much_another_has_asked_for() {
    let threads = thread::available_parallelism().unwrap().get();
    let settings = |tenant: &str, role| KeySettings::new(role, tenant.parse().unwrap());
    let (server, keys) = Guarded::limited_with(
        "",
        vec![
            settings("flood", Role::Infer),
            settings("calm", Role::Infer),
            settings("watch", Role::Metrics),
        ],
        &[("works", "never_returns", "text-embedding")],
    );
    let [flood, calm, watch] = &keys[..] else {
        panic!("three keys");
    };
    let body = r#"{"model":"works","input":"one"}"#;
    let ask = |key: &str| {
        let answer = server.ask("POST", "/v1/embeddings", &[key], body);
        assert!(answer.body.contains("limit.fuel"), "{answer:?}");
    };
    let ended = AtomicUsize::new(0);
    let floods = 12 * threads;
    let meanwhile = thread::scope(|scope| {
        for _ in 0..floods {
            scope.spawn(|| {
                ask(flood);
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        let begun = Instant::now();
        while waiting(&server, watch) < 6 * threads {
            assert!(begun.elapsed() < Duration::from_secs(30), "no flood");
            thread::sleep(Duration::from_millis(5));
        }
        let before = ended.load(Ordering::SeqCst);
        ask(calm);
        ended.load(Ordering::SeqCst) - before
    });
    assert!(
        meanwhile < floods / 2,
        "{meanwhile} of {floods} came before, with {threads} threads"
    );
}

/// Returns the number of requests that wait for a thread.
fn waiting(server: &Guarded, key: &str) -> usize {
    let metrics = server.ask("GET", "/metrics", &[key], "").body;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("ampoule_sandbox_requests_waiting "));
    line.unwrap().parse().unwrap()
}

#[test]
fn refusals_by_limits_are_counted_by_their_reasons() {
    let mut settings = KeySettings::new(Role::Admin, "acme".parse().unwrap());
    settings.rates.requests = "3/1h".parse().ok();
    let watch = KeySettings::new(Role::Metrics, "watch".parse().unwrap());
    let text = "[rate-limits]\nfailures = \"2/1h\"\n";
    let (server, keys) = Guarded::limited(text, vec![settings, watch]);
    for _ in 0..5 {
        let _ = server.ask("GET", "/v1/models", &[&keys[0]], "");
    }
    for _ in 0..3 {
        let _ = server.ask("GET", "/v1/models", &["Bearer wrong"], "");
    }
    let metrics = server.ask("GET", "/metrics", &[&keys[1]], "").body;
    for line in [
        "ampoule_http_requests_denied_total{reason=\"rate.key.requests\"} 2",
        "ampoule_http_requests_denied_total{reason=\"failures\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
}
