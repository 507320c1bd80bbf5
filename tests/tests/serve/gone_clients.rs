//! Clients that go away or do not read: their guests end, and their sandboxes are free.

use std::io::Read as _;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ampoule::Limits;
use ampoule_server::ServiceSettings;
use ampoule_tests::{
    BundleBuilder, Publisher, ServedHere, block_on, host_with_limits, read_answer, stream_events,
    test_guest,
};
use serde_json::{Value, json};

use crate::metrics::{series, sum};

/// Time until a sandbox is free after its client has gone.
const PROMISED: Duration = Duration::from_millis(25);

/// A busy machine delays a process now and then, by more than the promise. A server that is late by itself is late each
/// time, so the best of several rounds counts.
const ROUNDS: usize = 50;

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(30);

fn served(mut limits: Limits, bundle: impl FnOnce(&Publisher) -> BundleBuilder<'_>) -> ServedHere {
    let acme = Publisher::new("acme");
    limits.deadline = PATIENCE;
    let host = host_with_limits(&acme, limits);
    let bundle = bundle(&acme)
        .set("/limits/deadline_ms", json!(PATIENCE.as_millis()))
        .write();
    let model = block_on(host.load(bundle.path())).unwrap();
    ServedHere::start(host, ServiceSettings::default(), model)
}

fn generator(guest: &str, limits: Limits) -> ServedHere {
    served(limits, |acme| {
        acme.bundle(test_guest(guest)).tasks(&["text-generation"])
    })
}

fn chat(is_streamed: bool) -> Value {
    json!({"model": "model", "messages": [{"role": "user", "content": "x"}], "stream": is_streamed})
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_micros(500));
    }
    begun.elapsed()
}

/// Each of these tests keeps a core busy, so they come one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Asks, waits until a guest is at work after so many steps, leaves by `leave`, and takes the time until its sandbox is
/// free.
#[track_caller]
pub(crate) fn frees_its_sandbox(
    server: &ServedHere,
    path: &str,
    request: &Value,
    steps_before: u64,
    leave: impl Fn(TcpStream) -> Option<TcpStream>,
) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let steps = server.counters().steps + steps_before;
        let client = server.ask(path, request);
        wait_until("a guest is in the call that never ends", || {
            let counters = server.counters();
            counters.running == 1 && counters.steps >= steps
        });
        // Into the middle of its work.
        std::thread::sleep(Duration::from_millis(20));
        let left = leave(client);
        let took = wait_until("the sandbox is free", || {
            let counters = server.counters();
            (counters.sandboxes, counters.running) == (0, 0)
        });
        drop(left);
        times.push(took);
        if took <= PROMISED {
            return;
        }
    }
    panic!("{times:?}");
}

#[test]
fn a_client_that_goes_away_frees_its_sandbox_within_25_ms_in_the_middle_of_a_call() {
    let server = served(Limits::default(), |acme| {
        acme.bundle(test_guest("never_returns"))
    });
    let request = json!({"model": "model", "input": "x"});
    frees_its_sandbox(&server, "/v1/embeddings", &request, 0, |client| {
        drop(client);
        None
    });
}

#[test]
fn a_client_that_goes_away_frees_its_sandbox_within_25_ms_in_the_middle_of_a_whole_answer() {
    let server = generator("generation_blocks", Limits::default());
    frees_its_sandbox(&server, "/v1/chat/completions", &chat(false), 1, |client| {
        drop(client);
        None
    });
}

#[test]
fn a_client_that_goes_away_frees_its_sandbox_within_25_ms_in_the_middle_of_a_stream() {
    let server = generator("generation_blocks", Limits::default());
    frees_its_sandbox(&server, "/v1/chat/completions", &chat(true), 1, |client| {
        drop(client);
        None
    });
}

#[test]
fn a_client_that_only_ends_its_own_half_has_gone_away() {
    let server = generator("generation_blocks", Limits::default());
    frees_its_sandbox(&server, "/v1/chat/completions", &chat(true), 1, |client| {
        client.shutdown(Shutdown::Write).unwrap();
        Some(client)
    });
}

#[test]
fn a_hundred_clients_that_vanish_leave_nothing_behind() {
    let server = generator("endless_generation", Limits::default());
    for round in 0..100 {
        let client = server.ask("/v1/chat/completions", &chat(round % 2 == 0));
        if round % 3 == 0 {
            wait_until("a guest is at work", || server.counters().sandboxes > 0);
        }
        drop(client);
    }
    wait_until("every sandbox is free", || {
        let counters = server.counters();
        (
            counters.sandboxes,
            counters.running,
            counters.waiting,
            counters.waiting_steps,
        ) == (0, 0, 0, 0)
    });
}

#[test]
fn a_client_that_reads_nothing_holds_no_guest_whose_answer_is_not_large() {
    let mut limits = Limits::default();
    limits.chunks = 2_000;
    limits.idle = PATIENCE;
    let server = generator("endless_generation", limits);
    let client = server.ask("/v1/chat/completions", &chat(true));
    wait_until("a guest has begun", || server.counters().steps > 0);
    let took = wait_until("its guest has ended", || server.counters().sandboxes == 0);
    assert!(took < PATIENCE / 2, "{took:?}");
    // The answer is there in full for whoever reads late.
    let (_, body) = read_answer(client);
    let events = stream_events(&body);
    let (error, texts) = events.split_last().unwrap();
    assert_eq!(error.json()["error"]["code"], "limit.output");
    assert_eq!(texts.len(), 1 + 2_000);
}

#[test]
fn a_client_that_reads_nothing_of_an_endless_answer_holds_its_guest_for_a_moment_only() {
    let mut limits = Limits::default();
    limits.chunks = 1_000_000;
    limits.idle = Duration::from_millis(200);
    let server = generator("endless_generation", limits);
    let client = server.ask("/v1/chat/completions", &chat(true));
    wait_until("a guest has begun", || server.counters().steps > 0);
    wait_until("its guest has ended", || server.counters().sandboxes == 0);
    let made = server.counters().steps;
    let (_, body) = read_answer(client);
    let events = stream_events(&body);
    let (error, texts) = events.split_last().unwrap();
    assert_eq!(error.json()["error"]["code"], "limit.idle");
    assert!(texts.len() as u64 >= made - 2, "{} of {made}", texts.len());
    assert!(made < 500_000, "the guest went on unread: {made}");
}

/// The server's one thread is busy with other requests, so it asks for the next chunk too late.
#[test]
fn a_caller_whom_the_server_keeps_waiting_may_ask_again() {
    let mut limits = Limits::default();
    limits.chunks = 1_000_000;
    limits.idle = Duration::from_millis(1);
    let server = generator("endless_generation", limits);
    let small = json!({"model": "invented", "input": vec!["x"; 10_000]});
    let is_over = AtomicBool::new(false);
    let (head, body) = thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let _ = server.post("/v1/embeddings", &small);
                }
            });
        }
        let answer = server.post("/v1/chat/completions", &chat(false));
        is_over.store(true, Ordering::Relaxed);
        answer
    });
    assert!(head.contains(" 503 "), "{head}{body}");
    assert!(head.contains("retry-after: 1\r\n"), "{head}");
    assert!(body.contains("server.slow"), "{body}");
}

/// Waits for the end of the first request to a generation, and returns its fuel and its tokens as the metrics have them.
#[track_caller]
fn counted(server: &ServedHere, outcome: &str) -> (f64, f64) {
    let labels = [&*format!("outcome=\"{outcome}\""), "chat"];
    let mut metrics = series(&server.get("/metrics").1);
    wait_until("the request is over", || {
        metrics = series(&server.get("/metrics").1);
        sum(&metrics, "ampoule_http_requests_total", &labels) > 0.0
    });
    let total = |name| sum(&metrics, name, &["model=\"model\""]);
    (
        total("ampoule_fuel_total"),
        total("ampoule_output_tokens_total"),
    )
}

#[test]
fn the_costs_of_an_answer_whose_client_went_away_are_counted() {
    for is_streamed in [true, false] {
        let mut limits = Limits::default();
        limits.chunks = 1_000_000;
        let server = generator("endless_generation", limits);
        let mut client = server.ask("/v1/chat/completions", &chat(is_streamed));
        if is_streamed {
            client.read_exact(&mut [0; 4_096]).unwrap();
        } else {
            wait_until("a guest is at work", || server.counters().steps > 20);
        }
        drop(client);
        let (fuel, tokens) = counted(&server, "client-gone");
        assert!(fuel > 0.0 && tokens > 10.0, "{fuel} {tokens}");
    }
}

#[test]
fn the_costs_of_an_answer_that_ended_with_an_error_are_counted() {
    for is_streamed in [true, false] {
        let server = generator("generation_fails_midway", Limits::default());
        let (_, body) = server.post("/v1/chat/completions", &chat(is_streamed));
        assert!(body.contains("guest.error"), "{body}");
        let (fuel, tokens) = counted(&server, "error");
        assert!(fuel > 0.0, "{fuel}");
        assert_eq!(
            tokens, 2.0,
            "a chunk is a token of an answer without an end"
        );
    }
}
