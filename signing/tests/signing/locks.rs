//! Whoever waits for a lock that another keeps is told in time what it is.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use ampoule_signing::{
    LOCK_PATIENCE, ReleaseState, Result, Root, Sha256Digest, SignedRoot, TrustStore,
    cosign_directory, sign_directory, update_draft, write_draft,
};

use crate::fixture::{Fixture, snapshot};
use crate::root::{Fleet, sign};

/// The most that the end of the wait may be late, on a machine with other things to do.
const SLACK: Duration = Duration::from_secs(10);

/// Runs `change` while the lock on `lock` is kept.
fn assert_told(lock: &Path, what: &str, change: impl FnOnce() -> Result<()>) {
    let held = File::open(lock).unwrap();
    held.lock().unwrap();
    let began = Instant::now();
    let error = change().unwrap_err();
    let waited = began.elapsed();
    assert_eq!(error.code(), "io.locked", "{error}");
    assert!(error.to_string().contains(what), "{error}");
    assert!(
        waited >= LOCK_PATIENCE && waited < LOCK_PATIENCE + SLACK,
        "{waited:?}"
    );
}

#[test]
fn whoever_waits_for_a_lock_that_another_keeps_is_told_in_time_what_it_is() {
    let home = tempfile::tempdir().unwrap();
    let fleet = Fleet::new();
    let fixture = Fixture::signed();
    let verified = fixture.verify().unwrap();
    let (manifest, digest) = (verified.manifest(), verified.manifest_digest());
    let other = Sha256Digest::of(b"another");

    // Each has made its lock already.
    let state = ReleaseState::in_directory(home.path().join("state"));
    state.record(manifest, digest).unwrap();
    let trust = home.path().join("trust");
    TrustStore::update(&trust, |store| {
        store.insert(fixture.key.public_key().clone(), ["acme"])
    })
    .unwrap();
    let drafts = home.path().join("drafts");
    std::fs::create_dir(&drafts).unwrap();
    let (draft, signed) = (drafts.join("root.json"), drafts.join("root.dsse.json"));
    write_draft(&draft, &fleet.first).unwrap();
    sign(&fleet.first, &[&fleet.ann])
        .write_file(&signed)
        .unwrap();
    let bundle = fixture.path();
    let before = [snapshot(home.path()), snapshot(&bundle)];

    let (releases_lock, trust_lock) = (
        home.path().join("state/releases.lock"),
        trust.join("trust.lock"),
    );
    let newer = || {
        let mut template = crate::fixture::template();
        template.release += 1;
        let newer = template.fill(&bundle, ampoule_signing::Timestamp::UNIX_EPOCH)?;
        state.record(&newer, other)
    };
    // All at once, since each waits.
    std::thread::scope(|scope| {
        scope.spawn(|| assert_told(&releases_lock, "the state directory", newer));
        scope.spawn(|| {
            assert_told(&trust_lock, "the trust directory", || {
                TrustStore::update(&trust, |store| Ok(store.remove_publisher("acme"))).map(drop)
            });
        });
        scope.spawn(|| {
            assert_told(&bundle, "the bundle directory", || {
                sign_directory(&bundle, &[&fixture.key]).map(drop)
            });
        });
        scope.spawn(|| {
            assert_told(&drafts, "the directory of the root", || {
                update_draft(&draft, Ok::<Root, _>).map(drop)
            });
        });
    });
    assert_eq!([snapshot(home.path()), snapshot(&bundle)], before);

    // And nothing is in the way of the next.
    newer().unwrap();
    TrustStore::update(&trust, |store| Ok(store.remove_publisher("acme"))).unwrap();
    cosign_directory(&bundle, &[&fleet.ann]).unwrap();
    SignedRoot::cosign_file(&signed, &fleet.bob, |_, _| Ok(())).unwrap();
}
