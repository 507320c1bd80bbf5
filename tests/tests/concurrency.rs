//! Requests on several threads run at the same time, and no more of them than there are threads.
//!
//! No clock of the host's tells that. But what a request's report says it has spent in its sandbox lies
//! between the moment before the first was asked and the one after the last has answered: where these times
//! are longer together than that, two of them must have run at once.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::time::{Duration, Instant};

use ampoule::{Host, Limits, Model};
use ampoule_tests::{Publisher, block_on, test_guest};
use serde_json::json;

/// Long enough for a request of a second or so on a machine with other things to do.
const DEADLINE: Duration = Duration::from_secs(120);

/// A model whose every request reads clocks for a good part of a second.
fn slow_model(threads: usize) -> Model {
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.deadline = DEADLINE;
    let host = Host::builder()
        .trust(acme.trust())
        .limits(limits)
        .threads(threads)
        // As long as its clocks hardly move, the guest reads them a million times.
        .clock_resolution(Duration::from_secs(1))
        .build()
        .unwrap();
    let bundle = acme
        .bundle(test_guest("reads_clock_and_random"))
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
        .write();
    block_on(host.load(bundle.path())).unwrap()
}

/// Time of all requests from the first to the last, and the sum of their times in sandboxes.
fn asked_at_once(model: &Model, requests: usize) -> (Duration, Duration) {
    block_on(async {
        let began = Instant::now();
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..requests {
            let model = model.clone();
            asked.spawn(async move { model.embed_text(&["x"]).await.unwrap().sandbox.wall });
        }
        let within: Duration = asked.join_all().await.into_iter().sum();
        (began.elapsed(), within)
    })
}

#[test]
fn two_requests_run_at_the_same_time_on_two_threads() {
    let (elapsed, within) = asked_at_once(&slow_model(2), 2);
    println!("{within:?} in sandboxes within {elapsed:?}");
    assert!(within > elapsed, "{within:?} within {elapsed:?}");
}

#[test]
fn one_thread_runs_one_request_after_the_other() {
    let (elapsed, within) = asked_at_once(&slow_model(1), 3);
    assert!(within <= elapsed, "{within:?} within {elapsed:?}");
}

#[test]
fn no_more_requests_run_at_the_same_time_than_there_are_threads() {
    let (elapsed, within) = asked_at_once(&slow_model(2), 6);
    assert!(
        within > elapsed && within <= 2 * elapsed,
        "{within:?} within {elapsed:?}"
    );
}
