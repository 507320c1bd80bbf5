//! No older release after a newer one, and bundles in one file, at the command line.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Output;

use ampoule_signing::pack_directory;
use ampoule_tests::{Operator, assert_fails, json_of};
use serde_json::json;

#[track_caller]
fn assert_runs(output: &Output) {
    assert!(output.status.success(), "{}", json_of(output));
}

#[test]
fn an_older_release_is_refused_once_a_newer_one_was_run() {
    let operator = Operator::new();
    let release = |number: u64| operator.good().set("/release", json!(number)).write();
    let (first, second) = (release(1), release(2));
    let embed = |bundle: &Path| operator.embed(bundle, "x");
    assert_runs(&embed(first.path()));
    assert_runs(&embed(first.path()));
    // To ask is not to run: nothing is remembered.
    let verify = |bundle: &Path| {
        let mut command = operator.ampoule(&["verify", "--json"]);
        command.arg(bundle).output().unwrap()
    };
    assert_runs(&verify(second.path()));
    assert_runs(&embed(first.path()));

    assert_runs(&embed(second.path()));
    assert_fails(&embed(first.path()), "trust.rollback", 3);
    assert_fails(&verify(first.path()), "trust.rollback", 3);
    assert_runs(&embed(second.path()));

    // Another machine's memory is another one.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut with_state = operator.ampoule(&["embed", "--json", "x", "--state"]);
    with_state.arg(elsewhere.path()).arg("--model");
    assert_runs(&with_state.arg(first.path()).output().unwrap());
    assert!(elsewhere.path().join("releases.json").exists());
}

#[test]
fn a_downgrade_that_is_asked_for_is_run_and_logged_and_changes_nothing_for_the_next() {
    let operator = Operator::new();
    let release = |number: u64| operator.good().set("/release", json!(number)).write();
    let (first, second) = (release(1), release(2));
    assert_runs(&operator.embed(second.path(), "x"));
    let allow = ["embed", "--json", "--allow-downgrade", "x", "--model"];
    let output = operator.ampoule(&allow).arg(first.path()).output().unwrap();
    assert_runs(&output);
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("trust.rollback"), "{log}");
    assert_fails(&operator.embed(first.path(), "x"), "trust.rollback", 3);
    // It excuses from nothing else.
    let stranger = Operator::new();
    let bundle = stranger.good().write();
    let output = operator
        .ampoule(&allow)
        .arg(bundle.path())
        .output()
        .unwrap();
    assert_fails(&output, "trust.unknown-key", 3);
}

#[test]
fn two_bundles_of_one_release_are_not_both_run() {
    let operator = Operator::new();
    let one = operator.good().write();
    let other = operator
        .good()
        .set("/annotations", json!({ "built": "again" }))
        .write();
    assert_runs(&operator.embed(one.path(), "x"));
    assert_fails(
        &operator.embed(other.path(), "x"),
        "trust.release-reused",
        3,
    );
}

#[test]
fn a_release_that_does_not_load_does_not_shut_out_the_last_one_that_did() {
    let operator = Operator::new();
    let good = operator.good().write();
    let bad = operator
        .good()
        .set("/release", json!(2))
        .set("/limits/init/fuel", json!(1))
        .write();
    assert_runs(&operator.embed(good.path(), "x"));
    assert_fails(&operator.embed(bad.path(), "x"), "limit.fuel", 5);
    assert_runs(&operator.embed(good.path(), "x"));
}

#[test]
fn a_model_in_one_file_runs_as_it_is() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let packed = tempfile::tempdir().unwrap();
    let file = packed.path().join("test.ampoule");
    pack_directory(bundle.path(), &file).unwrap();
    let (from_file, from_directory) = (
        operator.embed(&file, "x"),
        operator.embed(bundle.path(), "x"),
    );
    assert_runs(&from_file);
    assert_eq!(
        json_of(&from_file)["embeddings"],
        json_of(&from_directory)["embeddings"]
    );
    // Nothing was extracted.
    assert_eq!(std::fs::read_dir(packed.path()).unwrap().count(), 1);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.push(0);
    std::fs::write(&file, bytes).unwrap();
    assert_fails(&operator.embed(&file, "x"), "file.archive", 3);
}
