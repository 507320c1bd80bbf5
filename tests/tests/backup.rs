//! The files of a machine, their permissions, and their restoration from a backup.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use ampoule_tests::{CacheDirectory, Operator, assert_fails, json_of, set_mode, test_guest};
use serde_json::json;

#[track_caller]
fn assert_runs(output: &Output) {
    assert!(output.status.success(), "{}", json_of(output));
}

/// A backup of a directory.
fn backup(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap();
    files
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Restores a directory.
fn restore(directory: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    for file in fs::read_dir(directory).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
        set_mode(path, 0o600);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_written_is_the_services_alone_and_a_bundle_stays_as_it_is() {
    let operator = Operator::new();
    let (state, cache) = (tempfile::tempdir().unwrap(), CacheDirectory::new());
    let bundle = operator.publisher().bundle(test_guest("prepares"));
    let bundle = bundle.file("data.bin", vec![1, 20, 100]).write();
    let (trust_before, bundle_before) = (backup(operator.trust()), backup(bundle.path()));
    let mut command = operator.ampoule(&["embed", "--json", "x", "--state"]);
    command.arg(state.path()).arg("--model").arg(bundle.path());
    command.env("AMPOULE_CACHE", cache.path());
    assert_runs(&command.output().unwrap());

    // Trust and bundles are read; where they lie nothing is added.
    assert_eq!(backup(operator.trust()), trust_before);
    assert_eq!(backup(bundle.path()), bundle_before);
    assert_eq!(mode(cache.path()), 0o700);
    let written = [state.path(), cache.path()].map(|directory| fs::read_dir(directory).unwrap());
    let mut names = Vec::new();
    for file in written.into_iter().flatten() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for name in ["releases.acme.json", "key"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    assert!(
        names.iter().any(|found| found.ends_with(".code")),
        "{names:?}"
    );
}

#[test]
fn a_cache_that_is_gone_is_made_again_with_another_key() {
    let operator = Operator::new();
    let cache = CacheDirectory::new();
    let bundle = operator.publisher().bundle(test_guest("prepares"));
    let bundle = bundle.file("data.bin", vec![1, 20, 100]).write();
    let run = || {
        let mut command = operator.ampoule(&["embed", "--json", "x", "--model"]);
        command
            .arg(bundle.path())
            .env("AMPOULE_CACHE", cache.path());
        assert_runs(&command.output().unwrap());
        (fs::read(cache.path().join("key")).unwrap(), cache.entry())
    };
    let (key, entry) = run();
    fs::remove_dir_all(cache.path()).unwrap();
    let (new_key, new_entry) = run();
    assert_ne!(key, new_key);
    assert_eq!(entry, new_entry, "the same code, kept anew");
    assert_eq!(mode(cache.path()), 0o700);
}

#[test]
fn a_state_from_a_backup_forgets_the_releases_since_and_lets_older_ones_run() {
    let operator = Operator::new();
    let release = |number: u64| operator.good().set("/release", json!(number)).write();
    let (first, second) = (release(1), release(2));
    assert_runs(&operator.embed(first.path(), "x"));
    let early = backup(operator.trust());
    assert_runs(&operator.embed(second.path(), "x"));
    let late = backup(operator.trust());
    assert_fails(&operator.embed(first.path(), "x"), "trust.rollback", 3);

    restore(operator.trust(), &early);
    assert_runs(&operator.embed(first.path(), "x"));
    // Once the newest release has run, all is as it was.
    assert_runs(&operator.embed(second.path(), "x"));
    assert_fails(&operator.embed(first.path(), "x"), "trust.rollback", 3);
    restore(operator.trust(), &late);
    assert_fails(&operator.embed(first.path(), "x"), "trust.rollback", 3);
}

#[test]
fn a_trust_directory_from_a_backup_trusts_whom_it_trusted_then() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let before = backup(operator.trust());
    let key = operator.publisher().public_key().key_id().to_string();
    let mut command = operator.ampoule(&["trust", "remove", &key]);
    assert!(command.output().unwrap().status.success());
    assert_fails(&operator.embed(bundle.path(), "x"), "trust.unknown-key", 3);

    restore(operator.trust(), &before);
    assert_runs(&operator.embed(bundle.path(), "x"));
}

#[test]
fn what_is_restored_with_other_modes_is_refused_until_they_are_put_right() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    assert_runs(&operator.embed(bundle.path(), "x"));
    for name in ["trust.toml", "releases.acme.json"] {
        let path = operator.trust().join(name);
        set_mode(&path, 0o666);
        assert_fails(&operator.embed(bundle.path(), "x"), "trust.permissions", 3);
        set_mode(&path, 0o600);
        assert_runs(&operator.embed(bundle.path(), "x"));
    }
}
