//! Hostile guests: each is stopped with the code that names why, and the host serves on.
//!
//! Every guest is a real component, signed by a publisher that the host trusts: what is tested is
//! what the sandbox does about code that was let in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod admission;
mod failures;
mod generation;
mod handing_over;
mod memory;
mod reach;
mod time;

use std::time::{Duration, Instant};

use ampoule::{
    Answer, Error, GenerationRequest, Host, Image, Limits, Model, Phase, TextEmbeddings,
};
use ampoule_tests::{
    BundleBuilder, Publisher, block_on, host_trusting, host_with_limits, test_guest, wat_guest,
};
use serde_json::json;

/// The deadline in the manifests of guests that must run into it.
const DEADLINE: Duration = Duration::from_millis(200);

/// What a stopped guest may overrun its deadline by here. The timer ticks every millisecond; the
/// rest is for a machine with other things to do.
const SLACK: Duration = Duration::from_millis(300);

/// Loads the guest and asks it for an embedding; whichever fails, the error must have the code.
/// Afterwards the same host must serve a good model.
fn assert_stopped(publisher: &Publisher, bundle: BundleBuilder<'_>, code: &str) -> Error {
    let host = host_trusting(publisher);
    let error = block_on(ask(&host, bundle)).expect_err("the guest must be stopped");
    assert_eq!(error.code(), code, "{error}");
    assert_serves(publisher, &host);
    error
}

async fn ask(host: &Host, bundle: BundleBuilder<'_>) -> ampoule::Result<Answer<TextEmbeddings>> {
    ask_with(host, bundle, &["hello"]).await
}

/// Some guests take from the texts how they misbehave.
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

/// The host still answers a good request, rightly.
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
