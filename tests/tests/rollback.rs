//! No older release after a newer one, and bundles in one file, at the command line.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use ampoule_signing::{TrustStore, pack_directory};
use ampoule_tests::{Operator, Publisher, WrittenBundle, assert_fails, json_of};
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
    let inspect = |bundle: &Path, more: &[&str]| {
        let mut command = operator.ampoule(&["inspect", "--json"]);
        let output = command.arg(bundle).args(more).output().unwrap();
        json_of(&output)["verdict"].clone()
    };
    let verdict = inspect(first.path(), &[]);
    assert_eq!(verdict["code"], "trust.rollback", "{verdict}");
    assert_eq!(
        (&verdict["trusted"], &verdict["admitted"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(inspect(second.path(), &[])["admitted"], true);
    // The first fault that loading finds is reported.
    let verdict = inspect(first.path(), &["--output-bytes", "1KiB"]);
    assert_eq!(verdict["code"], "trust.rollback", "{verdict}");
    // The release of an untrusted bundle is not reported.
    let stranger = Operator::new().good().write();
    assert_eq!(inspect(stranger.path(), &[])["trusted"], false);
    assert_runs(&embed(second.path()));

    // Another machine's memory is another one.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut with_state = operator.ampoule(&["embed", "--json", "x", "--state"]);
    with_state.arg(elsewhere.path()).arg("--model");
    assert_runs(&with_state.arg(first.path()).output().unwrap());
    assert!(elsewhere.path().join("releases.acme.json").exists());
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
fn an_operator_undoes_a_release_that_was_signed_far_ahead_for_one_model() {
    let operator = Operator::new();
    let far = 9_007_199_254_740_991_u64;
    let release = |name: &str, number: u64| {
        let bundle = operator.good().named(name).set("/release", json!(number));
        bundle.write()
    };
    let trust = |arguments: &[&str]| operator.ampoule(arguments).arg("--json").output().unwrap();
    assert_runs(&operator.embed(release("test", far).path(), "x"));
    assert_runs(&operator.embed(release("other", far).path(), "x"));
    let (fourth, fifth) = (release("test", 4), release("test", 5));
    assert_fails(&operator.embed(fifth.path(), "x"), "trust.rollback", 3);
    let listed = json_of(&trust(&["trust", "releases", "list", "acme"]));
    assert_eq!(listed["releases"]["acme/test"]["release"], far);

    for wrong in ["acme/no-such-model", "nobody/test"] {
        let refused = trust(&["trust", "releases", "forget", wrong]);
        assert_fails(&refused, "usage.no-such-release", 2);
    }
    let all = trust(&["trust", "releases", "forget", "acme/*"]);
    assert_fails(&all, "usage.setting", 2);
    let forgotten = trust(&["trust", "releases", "forget", "acme/test", "--to", "5"]);
    assert_runs(&forgotten);
    assert_eq!(json_of(&forgotten)["was"]["release"], far);
    assert_fails(&operator.embed(fourth.path(), "x"), "trust.rollback", 3);
    assert_runs(&operator.embed(fifth.path(), "x"));
    // The right files for a number under which others were signed.
    let again = operator.good().named("test").set("/release", json!(5));
    let again = again.set("/version", json!("1.0.9")).write();
    assert_fails(
        &operator.embed(again.path(), "x"),
        "trust.release-reused",
        3,
    );
    let back = ["trust", "releases", "forget", "acme/test", "--to", "5"];
    assert_runs(&trust(&back));
    assert_fails(&trust(&back), "usage.no-such-release", 2);
    assert_runs(&operator.embed(again.path(), "x"));
    // Nothing else was given up.
    let other = release("other", 5);
    assert_fails(&operator.embed(other.path(), "x"), "trust.rollback", 3);
    assert_runs(&trust(&["trust", "releases", "forget", "acme/other"]));
    assert_runs(&operator.embed(other.path(), "x"));
}

#[test]
fn what_is_remembered_of_one_publisher_takes_no_room_from_another() {
    let operator = Operator::new();
    let good = operator.good().write();
    assert_runs(&operator.embed(good.path(), "x"));
    // As it would be after a publisher has signed a quarter of a million names, with an earlier version.
    let digest = "0".repeat(64);
    let mut releases = String::from("{\n  \"schema\": 1,\n  \"releases\": {\n");
    for number in 0..20_000 {
        let comma = if number == 0 { "" } else { ",\n" };
        releases.push_str(&format!(
            "{comma}    \"evil/aaaa{number:06}\": {{\n      \"release\": 1,\n      \"manifest\": \"{digest}\"\n    }}"
        ));
    }
    releases.push_str("\n  }\n}\n");
    let file = operator.trust().join("releases.json");
    std::fs::write(&file, &releases).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_runs(&operator.embed(good.path(), "x"));

    let evil = Publisher::new("evil");
    TrustStore::update(operator.trust(), |trust| {
        trust.insert(evil.public_key().clone(), ["evil"])
    })
    .unwrap();
    let embed = |bundle: &WrittenBundle| operator.embed(bundle.path(), "x");
    let another = evil.every_task().named("one-more").write();
    assert_fails(&embed(&another), "trust.releases-full", 3);
    let known = evil
        .every_task()
        .named("aaaa000007")
        .set("/release", json!(2))
        .write();
    assert_runs(&embed(&known));
    let older = evil.every_task().named("aaaa000007").write();
    assert_fails(&embed(&older), "trust.rollback", 3);
    assert_runs(&embed(&operator.good().named("another").write()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), releases);
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
