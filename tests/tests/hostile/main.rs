//! Hostile guests: each is stopped with the code that names why, and the host serves on.
//!
//! Every guest is a real component, signed by a publisher that the host trusts: the tests are of the sandbox around
//! code that was let in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod admission;
mod canonical_abi;
mod codes;
mod contract;
mod failures;
mod generation;
mod handing_over;
mod handles;
mod host_kernels;
mod memory;
mod reach;
mod shape;
mod streams;
mod time;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use ampoule::{
    Answer, Error, GenerationRequest, Host, Image, Limits, Model, Phase, TextEmbeddings,
};
use ampoule_tests::{
    BundleBuilder, Publisher, block_on, host_trusting, host_with_limits, test_guest, wat_guest,
    wat_guest_with,
};
use serde_json::json;

use codes::assert_codes;

/// The deadline in the manifests of guests that must run into it.
const DEADLINE: Duration = Duration::from_millis(200);

/// Overrun of a deadline that is allowed on a busy machine. It is below the host's own deadline of five seconds, which
/// would stop a guest whose manifest is not obeyed; `deadlines.rs` measures the overrun.
const SLACK: Duration = Duration::from_secs(3);

/// Loads the guest and asks it for an embedding. One of the two has to fail, and the host to serve a good model
/// afterwards.
fn stopped(publisher: &Publisher, bundle: BundleBuilder<'_>) -> Error {
    let host = host_trusting(publisher);
    let error = block_on(ask(&host, bundle));
    let error = error.expect_err("the guest must be stopped");
    assert_serves(publisher, &host);
    error
}

/// Returns the error of one model for each of these numbers of texts, which select the way in which it misbehaves.
fn stopped_at_each(
    publisher: &Publisher,
    bundle: BundleBuilder<'_>,
    texts: impl IntoIterator<Item = usize>,
) -> Vec<Error> {
    let host = host_trusting(publisher);
    let model = block_on(load(&host, bundle));
    let ask = |texts| block_on(model.embed_text(&vec!["hello"; texts]));
    let errors = texts.into_iter().map(|texts| {
        let error = ask(texts).err();
        error.unwrap_or_else(|| panic!("{texts} texts: the guest must be stopped"))
    });
    let errors = errors.collect();
    assert_serves(publisher, &host);
    errors
}

/// Returns errors as [`stopped_at_each`] does, with [`DEADLINE`], and checks that each comes in time.
fn stopped_in_time(
    publisher: &Publisher,
    bundle: BundleBuilder<'_>,
    texts: impl IntoIterator<Item = usize>,
) -> Vec<Error> {
    let bundle = bundle.set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    let host = host_trusting(publisher);
    let model = block_on(load(&host, bundle));
    let ask = |texts: usize| {
        block_on(async {
            let began = Instant::now();
            let error = model.embed_text(&vec!["hello"; texts]).await.err();
            let took = began.elapsed();
            assert!(
                took >= DEADLINE && took < DEADLINE + SLACK,
                "{texts}: {took:?}"
            );
            error.unwrap()
        })
    };
    let errors = texts.into_iter().map(ask).collect();
    assert_serves(publisher, &host);
    errors
}

async fn ask(host: &Host, bundle: BundleBuilder<'_>) -> ampoule::Result<Answer<TextEmbeddings>> {
    ask_with(host, bundle, &["hello"]).await
}

/// Asks with these texts, which select the way in which some guests misbehave.
async fn ask_with(
    host: &Host,
    bundle: BundleBuilder<'_>,
    texts: &[&str],
) -> ampoule::Result<Answer<TextEmbeddings>> {
    let bundle = bundle.write();
    host.load(bundle.path()).await?.embed_text(texts).await
}

async fn load(host: &Host, bundle: BundleBuilder<'_>) -> Model {
    let bundle = bundle.write();
    host.load(bundle.path()).await.unwrap()
}

/// Lets a call begin. False when it was over at once, as happens on a busy machine.
async fn begins(mut call: Pin<&mut (impl Future + ?Sized)>) -> bool {
    poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await
}

/// Makes a host with one thread, and room for one more request that waits.
fn host_with_a_queue_of_one(publisher: &Publisher) -> Host {
    let mut limits = Limits::default();
    limits.queue = 1;
    Host::builder()
        .trust(publisher.trust())
        .limits(limits)
        .threads(1)
        .build()
        .unwrap()
}

/// A call that nobody polls any more.
type Pending = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// Fills such a host with calls of a guest that never returns: one runs, one waits. Returns both, and the error that a
/// third gets when it is polled for the first time.
async fn fill_the_queue(spinner: &Model) -> (Pending, Pending, Error) {
    let call = || -> Pending {
        let spinner = spinner.clone();
        Box::pin(async move { spinner.embed_text(&["x"]).await.map(drop) })
    };
    let mut running = call();
    assert!(begins(running.as_mut()).await);
    let waiting = loop {
        // There is no room before the thread has taken the first one.
        let mut waiting = call();
        if begins(waiting.as_mut()).await {
            break waiting;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let mut third = call();
    let polled = poll_fn(|context| Poll::Ready(third.as_mut().poll(context))).await;
    let Poll::Ready(Err(busy)) = polled else {
        panic!("a third call: {polled:?}");
    };
    (running, waiting, busy)
}

/// Checks that the host still answers a good request rightly.
fn assert_serves(publisher: &Publisher, host: &Host) {
    let answer = block_on(async {
        load(host, publisher.every_task())
            .await
            .embed_text(&["aaaa"])
            .await
            .unwrap()
    });
    assert_eq!(answer.output.vectors().len(), 1);
    assert!(answer.output.values.iter().any(|value| *value > 0.0));
}

fn acme() -> Publisher {
    Publisher::new("acme")
}
