//! The releases that a machine remembers, so that no older one follows them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ampoule_signing::{
    MAX_MODELS_OF_A_PUBLISHER, Manifest, RELEASES_FILE, ReleaseState, Sha256Digest, Timestamp,
};

use crate::fixture::{Fixture, snapshot, template};

/// A manifest of this model and release, and its digest.
fn release(name: &str, number: u64) -> (Manifest, Sha256Digest) {
    release_of("acme", name, number)
}

fn release_of(publisher: &str, name: &str, release: u64) -> (Manifest, Sha256Digest) {
    let fixture = Fixture::unsigned();
    let mut template = template();
    template.publisher = publisher.to_owned();
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
    let file = dir.path().join(ReleaseState::file_of("acme"));
    let good = fs::read_to_string(&file).unwrap();
    for bad in [
        "",
        "{}",
        &good[..good.len() / 2],
        &good.replace("\"release\": 3", "\"release\": 0"),
        &good.replace("\"release\": 3", "\"release\": 3, \"release\": 2"),
        &good.replace("acme/minilm", "acme"),
        &good.replace("acme/minilm", "acme/../x"),
        &good.replace("acme/minilm", "other/minilm"),
        &good.replace("\"release\": 3", "\"release\": 9007199254740992"),
        &good.replace("\"release\": 3", "\"release\": \"3\""),
        &good.replace("\"schema\": 1,", "\"schema\": 1, \"schema\": 1,"),
        &good.replace("\"schema\": 1,", ""),
        &format!("{good}{{}}"),
        &"[".repeat(100_000),
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
    assert_eq!(names, ["releases.acme.json", "releases.lock"]);
}

/// A file as [`ReleaseState::record`] writes it, with these models.
fn file_with(models: impl IntoIterator<Item = String>) -> String {
    let digest = "0".repeat(64);
    let models = models.into_iter().map(|model| {
        format!(
            "    \"{model}\": {{\n      \"release\": 1,\n      \"manifest\": \"{digest}\"\n    }}"
        )
    });
    let models = models.collect::<Vec<_>>().join(",\n");
    format!("{{\n  \"schema\": 1,\n  \"releases\": {{\n{models}\n  }}\n}}\n")
}

fn put(dir: &Path, name: &str, content: &str) {
    let file = dir.join(name);
    fs::write(&file, content).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_publisher_who_signs_names_without_end_fills_their_own_room_only() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path());
    let name = |number: usize| format!("evil/aaaa{number:06}");
    let almost = file_with((0..MAX_MODELS_OF_A_PUBLISHER - 1).map(name));
    put(dir.path(), "releases.evil.json", &almost);
    record(&state, &release("minilm", 3));

    record(&state, &release_of("evil", "the-last", 1));
    let full = fs::read(dir.path().join("releases.evil.json")).unwrap();
    for more in ["one-more", "and-another"] {
        let refused = refusal(&state, &release_of("evil", more, 1));
        assert_eq!(refused, "trust.releases-full");
    }
    assert_eq!(
        fs::read(dir.path().join("releases.evil.json")).unwrap(),
        full
    );

    // What is remembered goes on, and is as protected as before; and so does everybody else.
    record(&state, &release_of("evil", "the-last", 7));
    record(&state, &release_of("evil", "aaaa000000", 2));
    let older = refusal(&state, &release_of("evil", "aaaa000000", 1));
    assert_eq!(older, "trust.rollback");
    record(&state, &release("minilm", 4));
    record(&state, &release_of("new-publisher", "minilm", 1));
    assert_eq!(state.seen().unwrap().len(), MAX_MODELS_OF_A_PUBLISHER + 2);

    // One that is forgotten makes room for another.
    assert!(state.forget("evil", "aaaa000001", None).unwrap().is_some());
    record(&state, &release_of("evil", "one-more", 1));
}

#[test]
fn what_earlier_versions_remember_for_all_publishers_in_one_file_still_holds() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path());
    let models = ["acme/minilm", "acme/other", "acme-x/minilm", "evil/minilm"];
    let common = file_with(models.map(str::to_owned)).replace("\"release\": 1,", "\"release\": 5,");
    put(dir.path(), RELEASES_FILE, &common);
    let rollback = |release| assert_eq!(refusal(&state, &release), "trust.rollback");

    rollback(release("minilm", 4));
    record(&state, &release("minilm", 6));
    // What was taken over into the publisher's own file, and what was not.
    rollback(release("minilm", 5));
    rollback(release("other", 4));
    rollback(release_of("acme-x", "minilm", 4));
    rollback(release_of("evil", "minilm", 4));
    let reused = refusal(&state, &release("other", 5));
    assert_eq!(reused, "trust.release-reused");
    record(&state, &release_of("new-publisher", "minilm", 1));
    let seen = state.seen().unwrap();
    assert_eq!(seen.len(), 5);
    assert_eq!(seen["acme/minilm"].release, 6);
    assert_eq!(seen["evil/minilm"].release, 5);

    // It is not written: an earlier version that is put back is protected as it was.
    let kept = fs::read_to_string(dir.path().join(RELEASES_FILE)).unwrap();
    assert_eq!(kept, common);
    // And it is held to the same rules.
    for bad in ["", "{}", &common[..common.len() / 2]] {
        put(dir.path(), RELEASES_FILE, bad);
        let refused = refusal(&state, &release_of("evil", "minilm", 9));
        assert_eq!(refused, "trust.malformed");
        record(&state, &release("minilm", 6));
    }
}

#[test]
fn a_release_that_was_signed_far_ahead_by_mistake_is_undone_for_one_model() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path());
    let far = 9_007_199_254_740_991;
    record(&state, &release("minilm", 4));
    record(&state, &release("minilm", far));
    record(&state, &release("other", far));
    assert_eq!(refusal(&state, &release("minilm", 5)), "trust.rollback");

    // No release as new as that is remembered, or nothing at all.
    assert_eq!(
        state
            .forget("acme", "minilm", None)
            .unwrap()
            .unwrap()
            .release,
        far
    );
    record(&state, &release("minilm", far - 1));
    assert_eq!(state.forget("acme", "minilm", Some(far)).unwrap(), None);
    assert_eq!(state.forget("acme", "no-such-model", None).unwrap(), None);
    assert_eq!(state.forget("nobody", "minilm", Some(1)).unwrap(), None);

    let was = state.forget("acme", "minilm", Some(4)).unwrap();
    assert_eq!(was.unwrap().release, far - 1);
    assert_eq!(refusal(&state, &release("minilm", 3)), "trust.rollback");
    let (manifest, _) = release("minilm", 4);
    state
        .check(&manifest, Sha256Digest::of(b"built again"))
        .unwrap();
    record(&state, &release("minilm", 5));
    assert_eq!(refusal(&state, &release("minilm", 4)), "trust.rollback");
    // The other model is as it was.
    assert_eq!(refusal(&state, &release("other", 5)), "trust.rollback");

    let was = state.forget("acme", "other", None).unwrap();
    assert_eq!(was.unwrap().release, far);
    record(&state, &release("other", 1));
}

#[test]
fn a_bundle_that_was_signed_wrongly_under_a_number_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path());
    let (manifest, wrong) = release("minilm", 5);
    let right = (manifest.clone(), Sha256Digest::of(b"the right files"));
    record(&state, &(manifest, wrong));
    assert_eq!(refusal(&state, &right), "trust.release-reused");

    let was = state.forget("acme", "minilm", Some(5)).unwrap().unwrap();
    assert_eq!((was.release, was.manifest), (5, Some(wrong)));
    // Once is enough.
    assert_eq!(state.forget("acme", "minilm", Some(5)).unwrap(), None);
    assert_eq!(refusal(&state, &release("minilm", 4)), "trust.rollback");
    record(&state, &right);
    // The number is one bundle again.
    assert_eq!(
        refusal(&state, &release("minilm", 5)),
        "trust.release-reused"
    );
}

#[test]
fn a_state_does_not_go_back_to_a_number_that_no_release_has() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path());
    let this = release("minilm", 5);
    record(&state, &this);
    let before = snapshot(dir.path());
    for to in [0, 9_007_199_254_740_992, u64::MAX] {
        for model in ["minilm", "no-such-model"] {
            let error = state.forget("acme", model, Some(to)).unwrap_err();
            assert_eq!(error.code(), "usage.arguments", "{to}");
        }
    }
    assert_eq!(snapshot(dir.path()), before);
    record(&state, &this);
}

#[test]
fn what_is_forgotten_does_not_come_back_out_of_the_file_of_earlier_versions() {
    let dir = tempfile::tempdir().unwrap();
    let state = ReleaseState::in_directory(dir.path());
    let common =
        file_with(["acme/minilm".to_owned()]).replace("\"release\": 1,", "\"release\": 99,");
    put(dir.path(), RELEASES_FILE, &common);
    assert_eq!(refusal(&state, &release("minilm", 5)), "trust.rollback");
    assert!(state.forget("acme", "minilm", None).unwrap().is_some());
    record(&state, &release("minilm", 5));
    assert_eq!(refusal(&state, &release("minilm", 4)), "trust.rollback");
}
