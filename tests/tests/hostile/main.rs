//! Hostile guests: each is stopped with the code that names why, and the host serves on.
//!
//! Every guest is a real component, signed by a publisher that the host trusts: what is tested is
//! what the sandbox does about code that was let in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic, and prints what it counted"
)]

mod admission;
mod canonical_abi;
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
mod table;
mod time;

use std::time::{Duration, Instant};

use ampoule::{
    Answer, Error, GenerationRequest, Host, Image, Limits, Model, Phase, TextEmbeddings,
};
use ampoule_tests::{
    BundleBuilder, Publisher, block_on, host_trusting, host_with_limits, test_guest, wat_guest,
    wat_guest_with,
};
use serde_json::json;

use table::promises;

/// The deadline in the manifests of guests that must run into it.
const DEADLINE: Duration = Duration::from_millis(200);

/// What a stopped guest may overrun its deadline by here. The timer ticks every millisecond; the
/// rest is for a machine with other things to do.
const SLACK: Duration = Duration::from_millis(300);

/// Loads the guest and asks it for an embedding; one of them has to fail, and afterwards the same host to
/// serve a good model.
fn stopped(publisher: &Publisher, bundle: BundleBuilder<'_>) -> Error {
    let host = host_trusting(publisher);
    let error = block_on(ask(&host, bundle));
    let error = error.expect_err("the guest must be stopped");
    assert_serves(publisher, &host);
    error
}

/// What each of these numbers of texts gets from one model, for guests that take from it how they
/// misbehave.
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

/// Like [`stopped_at_each`], with [`DEADLINE`], and each in time.
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
