//! The trust store: what it holds, and who may change it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ampoule_signing::{Error, PublicKey, SecretKey, TRUST_FILE, TrustStore};

use crate::fixture::snapshot;

fn public_key() -> PublicKey {
    SecretKey::generate().unwrap().public_key().clone()
}

fn store_dir() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("trust");
    (parent, dir)
}

fn add(dir: &Path, key: &PublicKey, publishers: &[&str]) {
    TrustStore::update(dir, |store| {
        store.insert(key.clone(), publishers.iter().copied())
    })
    .unwrap();
}

#[test]
fn a_store_keeps_keys_and_their_publishers() {
    let (_parent, dir) = store_dir();
    let (one, two) = (public_key(), public_key());
    add(&dir, &one, &["zeta", "acme"]);
    add(&dir, &two, &["other"]);
    add(&dir, &one, &["more"]);
    let store = TrustStore::open(&dir).unwrap();
    assert!(!store.is_empty());
    assert_eq!(store.keys().count(), 2);
    let publishers: Vec<_> = store.publishers_of(&one.key_id()).collect();
    assert_eq!(publishers, ["acme", "more", "zeta"]);
    assert_eq!(store.key(&two.key_id()), Some(&two));
    assert!(store.may_speak_for(&two.key_id(), "other"));
    assert!(!store.may_speak_for(&two.key_id(), "acme"));
    assert!(TrustStore::update(&dir, |store| Ok(store.remove(&one.key_id()))).unwrap());
    let store = TrustStore::open(&dir).unwrap();
    assert_eq!(store.key(&one.key_id()), None);
    assert_eq!(store.publishers_of(&one.key_id()).count(), 0);
    assert_eq!(store.keys().count(), 1);
}

#[test]
fn a_key_for_one_model_signs_that_model_and_no_other() {
    let (_parent, dir) = store_dir();
    let key = public_key();
    let id = TrustStore::update(&dir, |store| {
        store.insert_model(key.clone(), "acme", "minilm")
    })
    .unwrap();
    let store = TrustStore::open(&dir).unwrap();
    assert!(store.may_sign(&id, "acme", "minilm"));
    assert!(!store.may_sign(&id, "acme", "other"));
    assert!(!store.may_sign(&id, "other", "minilm"));
    assert!(!store.may_speak_for(&id, "acme"));
    assert_eq!(store.publishers_of(&id).count(), 0);
    assert_eq!(
        store.models_of(&id).collect::<Vec<_>>(),
        [("acme", "minilm")]
    );
    // What a key may do adds up, and none of it is lost on the way through the file.
    add(&dir, &key, &["other"]);
    let store = TrustStore::open(&dir).unwrap();
    assert!(store.may_sign(&id, "other", "whatever") && store.may_sign(&id, "acme", "minilm"));
    assert!(!store.may_sign(&id, "acme", "other"));

    let mut store = TrustStore::new();
    for (publisher, name) in [("acme", "a/b"), ("", "minilm"), ("acme", "*")] {
        let refused = store.insert_model(key.clone(), publisher, name);
        assert_eq!(refused.unwrap_err().code(), "trust.malformed");
    }
    assert!(store.is_empty());
}

#[test]
fn a_store_is_its_owners_alone() {
    let (_parent, dir) = store_dir();
    add(&dir, &public_key(), &["acme"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join(TRUST_FILE)), 0o600);
    for (path, bad) in [
        (dir.clone(), 0o770),
        (dir.clone(), 0o707),
        (dir.join(TRUST_FILE), 0o666),
    ] {
        let good = mode(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(bad)).unwrap();
        let before = snapshot(&dir);
        let refused = TrustStore::open(&dir).unwrap_err();
        assert_eq!(
            (refused.code(), refused.exit_code()),
            ("trust.permissions", 3),
            "{bad:o}"
        );
        let refused = TrustStore::update(&dir, |_| Ok(())).unwrap_err();
        assert_eq!(refused.code(), "trust.permissions", "{bad:o}");
        assert_eq!(snapshot(&dir), before);
        fs::set_permissions(&path, fs::Permissions::from_mode(good)).unwrap();
    }
    TrustStore::open(&dir).unwrap();
}

#[test]
fn a_symlink_in_place_of_the_store_is_refused() {
    let (_parent, dir) = store_dir();
    add(&dir, &public_key(), &["acme"]);
    fs::rename(dir.join(TRUST_FILE), dir.join("real")).unwrap();
    std::os::unix::fs::symlink("real", dir.join(TRUST_FILE)).unwrap();
    assert_eq!(TrustStore::open(&dir).unwrap_err().code(), "file.symlink");
}

#[test]
fn a_failed_change_writes_nothing() {
    let (_parent, dir) = store_dir();
    add(&dir, &public_key(), &["acme"]);
    let before = snapshot(&dir);
    let refused = TrustStore::update(&dir, |store| {
        store.insert(public_key(), ["fine"])?;
        store.insert(public_key(), ["Not Fine"])
    });
    assert_eq!(refused.unwrap_err().code(), "trust.malformed");
    assert_eq!(snapshot(&dir), before);
}

#[test]
fn two_changes_at_once_lose_nothing() {
    let (_parent, dir) = store_dir();
    let keys: Vec<PublicKey> = (0..8).map(|_| public_key()).collect();
    std::thread::scope(|scope| {
        for key in &keys {
            scope.spawn(|| add(&dir, key, &["acme"]));
        }
    });
    let store = TrustStore::open(&dir).unwrap();
    assert!(
        keys.iter()
            .all(|key| store.may_speak_for(&key.key_id(), "acme"))
    );
}

#[test]
fn a_missing_store_is_named_as_such() {
    let (parent, dir) = store_dir();
    assert_eq!(TrustStore::open(&dir).unwrap_err().code(), "trust.missing");
    assert_eq!(
        TrustStore::open(parent.path()).unwrap_err().code(),
        "trust.missing"
    );
    assert!(!dir.exists(), "looking makes nothing");
}

#[test]
fn a_store_that_contradicts_itself_is_refused_whole() {
    let (_parent, dir) = store_dir();
    let (key, other) = (public_key(), public_key());
    add(&dir, &key, &["acme"]);
    let good = fs::read_to_string(dir.join(TRUST_FILE)).unwrap();
    let id = key.key_id().to_string();
    let entry = &good[good.find("[[key]]").unwrap()..];
    for (what, text) in [
        ("not TOML", "schema = ".to_owned()),
        ("no schema", good.replace("schema = 1", "")),
        ("a later schema", good.replace("schema = 1", "schema = 2")),
        (
            "an unknown field",
            good.replace("schema = 1", "schema = 1\nthreshold = 2"),
        ),
        (
            "an unknown field of a key",
            good.replace("[[key]]", "[[key]]\nexpires = 1"),
        ),
        (
            "another key's id",
            good.replace(&id, &other.key_id().to_string()),
        ),
        ("an id in capitals", good.replace(&id, &id.to_uppercase())),
        ("a key twice", format!("{good}\n{entry}")),
        ("no publisher", good.replace("\"acme\"", "")),
        (
            "a publisher that none can be",
            good.replace("\"acme\"", "\"*\""),
        ),
        (
            "a model without a publisher",
            good.replace("[[key]]", "[[key]]\nmodels = [\"minilm\"]"),
        ),
        (
            "a model that none can be",
            good.replace("[[key]]", "[[key]]\nmodels = [\"acme/a/b\"]"),
        ),
    ] {
        assert_ne!(text, good, "{what}");
        fs::write(dir.join(TRUST_FILE), text).unwrap();
        let error = TrustStore::open(&dir).unwrap_err();
        assert_eq!(error.code(), "trust.malformed", "{what}: {error}");
        assert!(matches!(
            TrustStore::update(&dir, |_| Ok(())),
            Err(Error::TrustMalformed { .. })
        ));
    }
    fs::write(
        dir.join(TRUST_FILE),
        good.replace(&format!("id = \"{id}\""), ""),
    )
    .unwrap();
    let store = TrustStore::open(&dir).expect("a person may leave the id out");
    assert!(store.may_speak_for(&key.key_id(), "acme"));
}
