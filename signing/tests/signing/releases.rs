//! What a machine remembers of the releases that it ran, so that none is followed by an older one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ampoule_signing::{Manifest, RELEASES_FILE, ReleaseState, Sha256Digest, Timestamp};

use crate::fixture::{Fixture, snapshot, template};

/// A manifest of this model and release, and its digest.
fn release(name: &str, release: u64) -> (Manifest, Sha256Digest) {
    let fixture = Fixture::unsigned();
    let mut template = template();
    template.name = name.to_owned();
    template.release = release;
    let manifest = template
        .fill(&fixture.path(), Timestamp::UNIX_EPOCH)
        .unwrap();
    let digest = Sha256Digest::of(manifest.to_json().unwrap().as_bytes());
    (manifest, digest)
}

#[track_caller]
fn refusal(state: &ReleaseState, (manifest, digest): &(Manifest, Sha256Digest)) -> &'static str {
    let checked = state.check(manifest, *digest).unwrap_err();
    let recorded = state.record(manifest, *digest).unwrap_err();
    assert_eq!(checked.code(), recorded.code());
    assert_eq!(checked.exit_code(), 3);
    checked.code()
}

fn record(state: &ReleaseState, (manifest, digest): &(Manifest, Sha256Digest)) {
    state.check(manifest, *digest).unwrap();
    state.record(manifest, *digest).unwrap();
}

#[test]
fn an_older_release_does_not_follow_a_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path().join("state"));
    record(&state, &release("minilm", 3));
    record(&state, &release("minilm", 3));
    record(&state, &release("minilm", 5));
    // Another model of the same publisher has numbers of its own.
    record(&state, &release("other", 1));
    let before = snapshot(dir.path());
    for older in [1, 3, 4] {
        assert_eq!(refusal(&state, &release("minilm", older)), "trust.rollback");
    }
    assert_eq!(snapshot(dir.path()).len(), before.len());
    let seen = state.seen().unwrap();
    assert_eq!(seen["acme/minilm"].release, 5);
    assert_eq!(seen["acme/other"].release, 1);
    record(&state, &release("minilm", 6));
}

#[test]
fn two_bundles_of_one_release_are_not_both_run() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path());
    let (manifest, digest) = release("minilm", 3);
    record(&state, &(manifest.clone(), digest));
    let other = (manifest, Sha256Digest::of(b"another manifest"));
    assert_eq!(refusal(&state, &other), "trust.release-reused");
}

#[test]
fn a_check_changes_nothing_and_needs_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path().join("state"));
    let (manifest, digest) = release("minilm", 3);
    state.check(&manifest, digest).unwrap();
    assert!(state.seen().unwrap().is_empty());
    assert!(!dir.path().join("state").exists());
}

#[test]
fn a_state_that_is_damaged_or_that_others_may_write_lets_nothing_through() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path());
    let this = release("minilm", 3);
    record(&state, &this);
    let file = dir.path().join(RELEASES_FILE);
    let good = fs::read_to_string(&file).unwrap();
    for bad in [
        "",
        "{}",
        &good[..good.len() / 2],
        &good.replace("\"release\": 3", "\"release\": 0"),
        &good.replace("\"release\": 3", "\"release\": 3, \"release\": 2"),
        &good.replace("acme/minilm", "acme"),
        &good.replace("acme/minilm", "acme/../x"),
        &good.replace("\"schema\": 1", "\"schema\": 2"),
        &good.replace("\"schema\": 1", "\"schema\": 1, \"more\": 1"),
    ] {
        assert_ne!(bad, good);
        fs::write(&file, bad).unwrap();
        let code = refusal(&state, &this);
        assert!(
            ["trust.malformed", "trust.schema"].contains(&code),
            "{code}: {bad}"
        );
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            bad,
            "kept for a person to look at"
        );
    }
    fs::write(&file, &good).unwrap();
    record(&state, &this);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
    assert_eq!(refusal(&state, &this), "trust.permissions");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(refusal(&state, &this), "trust.permissions");
}

#[test]
fn many_at_once_lose_nothing() {
    const WRITERS: u64 = 8;
    const RELEASES: u64 = 12;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let path = &path;
            scope.spawn(move || {
                let state = ReleaseState::in_directory(path);
                for number in 1..=RELEASES {
                    // One model of the writer's own, and one that all of them write to.
                    record_if_newer(&state, &format!("model{writer}"), number);
                    record_if_newer(&state, "shared", number * WRITERS + writer);
                }
            });
        }
    });
    let seen = ReleaseState::in_directory(&path).seen().unwrap();
    assert_eq!(seen.len() as u64, WRITERS + 1);
    for writer in 0..WRITERS {
        assert_eq!(seen[&format!("acme/model{writer}")].release, RELEASES);
    }
    assert_eq!(
        seen["acme/shared"].release,
        RELEASES * WRITERS + WRITERS - 1
    );
    assert_only_state(&path);
}

fn record_if_newer(state: &ReleaseState, name: &str, number: u64) {
    let (manifest, digest) = release(name, number);
    if let Err(error) = state.record(&manifest, digest) {
        assert_eq!(error.code(), "trust.rollback");
    }
}

/// No temporary file is left.
#[track_caller]
fn assert_only_state(dir: &Path) {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [RELEASES_FILE, "releases.lock"]);
}
