//! Services on a current-thread runtime, as the examples write them.
//!
//! `examples/embed-service` runs a guest that never returns. The service beats every 10 ms, and reports the delay of
//! its latest beat during each request.
//!
//! A busy machine delays a beat now and then. A guest on the runtime's own thread would delay one in every request,
//! by its whole deadline: so the quietest request counts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use ampoule_signing::TrustStore;
use ampoule_tests::{Publisher, test_guest};
use serde_json::json;

#[test]
fn a_service_stays_responsive_while_a_guest_spins_to_its_deadline() {
    let acme = Publisher::new("acme");
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(500))
        .write();
    let trust = tempfile::tempdir().unwrap();
    TrustStore::update(trust.path(), |store| {
        store.insert(acme.public_key().clone(), ["acme"])
    })
    .unwrap();

    let mut service = Command::new(env!("CARGO_BIN_EXE_embed-service"))
        .arg(bundle.path())
        .arg(trust.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = service.stdin.take().unwrap();
    stdin.write_all(b"one\ntwo\nthree\nfour\nfive\n").unwrap();
    drop(stdin);
    let output = service.wait_with_output().unwrap();
    assert!(output.status.success());

    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("[limit.deadline]").count(), 5, "{text}");
    let latest: Vec<u64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("latest beat: ")?.strip_suffix(" us"))
        .map(|number| number.parse().unwrap())
        .collect();
    assert_eq!(latest.len(), 5, "{text}");
    let quietest = latest.iter().min().unwrap();
    assert!(
        *quietest <= 20_000,
        "the latest beat of every request was late: {latest:?} us"
    );
}

#[test]
fn a_service_streams_from_one_model_while_another_is_busy_and_drains() {
    let acme = Publisher::new("acme");
    let chat = acme.every_task().named("chat").write();
    let embedding = acme.every_task().named("embedding").write();
    let trust = tempfile::tempdir().unwrap();
    TrustStore::update(trust.path(), |store| {
        store.insert(acme.public_key().clone(), ["acme"])
    })
    .unwrap();

    let mut service = Command::new(env!("CARGO_BIN_EXE_two_models"));
    service.args([chat.path(), embedding.path(), trust.path()]);
    let output = service.arg("one two three").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    // The guest answers with the question.
    assert!(text.starts_with("one two three"), "{text}");
    assert!(text.contains("2 models"), "{text}");
    assert!(text.contains("drained: true"), "{text}");
    assert!(!text.contains(" 0 texts"), "{text}");
}
