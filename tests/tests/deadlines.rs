//! The overrun of a deadline, and the time until another request has the permit.
//!
//! A busy machine delays a process now and then, by more than the promise here. A host that is late by itself is late
//! each time, so the best of several rounds counts.
//!
//! The tests run one at a time: each of them keeps every core busy.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ampoule::{GenerationRequest, Host, Limits, Model};
use ampoule_tests::{BundleBuilder, Publisher, block_on, host_with_limits, test_guest};
use serde_json::json;

/// Overrun of a deadline that is allowed, and time until the permit is free.
const PROMISED: Duration = Duration::from_millis(25);
const ROUNDS: usize = 20;
const SPINNERS: usize = 100;
const DEADLINE: Duration = Duration::from_millis(300);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Goes on until a round has kept the promise, and fails when none has.
fn holds_in_one_round_of_many(what: &str, mut round: impl AsyncFnMut() -> Duration) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut times = Vec::new();
    block_on(async {
        for _ in 0..ROUNDS {
            times.push(round().await);
            if times.last().unwrap() <= &PROMISED {
                break;
            }
        }
    });
    println!("{what}: {times:?}");
    assert!(times.last().unwrap() <= &PROMISED, "{what}: {times:?}");
}

fn load(host: &Host, bundle: BundleBuilder<'_>) -> Model {
    let bundle = bundle.write();
    block_on(host.load(bundle.path())).unwrap()
}

/// A host with one place, and a model whose second chunk never comes.
fn stuck_generations(acme: &Publisher) -> (Host, Model) {
    let mut limits = Limits::default();
    limits.sandboxes = 1;
    let host = host_with_limits(acme, limits);
    let bundle = acme
        .bundle(test_guest("generation_blocks"))
        .tasks(&["text-generation"]);
    let model = load(&host, bundle);
    (host, model)
}

fn question() -> GenerationRequest {
    GenerationRequest::question("x", 10)
}

#[test]
fn a_hundred_spinners_at_once_are_each_stopped_within_25_ms_of_their_deadline() {
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.sandboxes = SPINNERS;
    limits.queue = SPINNERS;
    let host = host_with_limits(&acme, limits);
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    let model = load(&host, bundle);
    holds_in_one_round_of_many("the latest of a hundred spinners", async || {
        let mut spinners = tokio::task::JoinSet::new();
        for _ in 0..SPINNERS {
            let model = model.clone();
            spinners.spawn(async move {
                let began = Instant::now();
                let error = model.embed_text(&["x"]).await.unwrap_err();
                assert_eq!(error.code(), "limit.deadline");
                let took = began.elapsed();
                assert!(took >= DEADLINE, "stopped too early: {took:?}");
                took.saturating_sub(DEADLINE)
            });
        }
        spinners.join_all().await.into_iter().max().unwrap()
    });
}

#[test]
fn a_generation_that_is_dropped_while_it_computes_frees_its_place_within_25_ms() {
    let acme = Publisher::new("acme");
    let (_host, model) = stuck_generations(&acme);
    holds_in_one_round_of_many("the place of a stopped generation", async || {
        let mut generation = model.generate(question()).await.unwrap();
        assert!(generation.next().await.unwrap().is_some());
        let patience = Duration::from_millis(50);
        let stuck = tokio::time::timeout(patience, generation.next()).await;
        assert!(stuck.is_err(), "the second chunk never comes");
        drop(generation);
        let dropped = Instant::now();
        // Until the guest has noticed, the place is taken.
        while model.generate(question()).await.is_err() {
            assert!(dropped.elapsed() < Duration::from_secs(5));
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        dropped.elapsed()
    });
}

#[test]
fn a_generation_that_is_dropped_between_two_chunks_frees_its_place_at_once() {
    let acme = Publisher::new("acme");
    let (_host, model) = stuck_generations(&acme);
    holds_in_one_round_of_many("the place of a dropped generation", async || {
        let mut generation = model.generate(question()).await.unwrap();
        assert!(generation.next().await.unwrap().is_some());
        drop(generation);
        let dropped = Instant::now();
        // Not even once is it told that the host is busy.
        model.generate(question()).await.unwrap();
        dropped.elapsed()
    });
}
