//! The trust store: what it holds, and who may change it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ampoule_signing::{
    ByteSize, Caps, Delegation, Error, Fuel, InitCaps, PublicKey, SecretKey, TRUST_FILE,
    TrustError, TrustStore, Validity,
};

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
fn a_store_keeps_keys_and_what_they_may_sign() {
    let (_parent, dir) = store_dir();
    let (one, two) = (public_key(), public_key());
    add(&dir, &one, &["zeta", "acme"]);
    add(&dir, &two, &["other"]);
    add(&dir, &one, &["more"]);
    let store = TrustStore::open(&dir).unwrap();
    assert!(!store.is_empty());
    assert_eq!(store.keys().len(), 2);
    let models: Vec<String> = store
        .delegations()
        .iter()
        .flat_map(|delegation| delegation.models().map(ToString::to_string))
        .collect();
    assert_eq!(models, ["acme/*", "more/*", "other/*", "zeta/*"]);
    assert_eq!(store.key(&two.key_id()), Some(&two));
    assert!(store.may_sign(&two.key_id(), "other", "minilm"));
    assert!(!store.may_sign(&two.key_id(), "acme", "minilm"));
    assert!(TrustStore::update(&dir, |store| Ok(store.remove(&one.key_id()))).unwrap());
    let store = TrustStore::open(&dir).unwrap();
    assert_eq!(store.key(&one.key_id()), None);
    assert_eq!(store.keys().len(), 1);
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
fn the_delegation_for_a_model_decides_in_place_of_the_one_for_its_publisher() {
    let (all, one) = (public_key(), public_key());
    let mut store = TrustStore::new();
    store.insert(all.clone(), ["acme"]).unwrap();
    assert!(store.may_sign(&all.key_id(), "acme", "minilm"));
    store.insert_model(one.clone(), "acme", "minilm").unwrap();
    assert!(store.may_sign(&one.key_id(), "acme", "minilm"));
    assert!(!store.may_sign(&one.key_id(), "acme", "other"));
    assert!(!store.may_sign(&all.key_id(), "acme", "minilm"));
    assert!(store.may_sign(&all.key_id(), "acme", "other"));
}

#[test]
fn removing_a_key_makes_nothing_easier_to_sign() {
    let (_parent, dir) = store_dir();
    let (all, one, two) = (public_key(), public_key(), public_key());
    add(&dir, &all, &["acme"]);
    TrustStore::update(&dir, |store| {
        store.insert_model(one.clone(), "acme", "minilm")?;
        store.insert_model(two.clone(), "acme", "minilm")?;
        store.edit("acme/minilm".parse().unwrap(), |delegation| {
            Ok(delegation.with_threshold(2.try_into().unwrap()))
        })?;
        assert!(store.remove(&one.key_id()));
        Ok(())
    })
    .unwrap();
    let store = TrustStore::open(&dir).unwrap();
    let deciding = store.delegation_for("acme", "minilm").unwrap();
    assert_eq!(deciding.threshold().get(), 2, "it is not lowered");
    assert_eq!(deciding.keys().count(), 1);

    TrustStore::update(&dir, |store| Ok(store.remove(&two.key_id()))).unwrap();
    let store = TrustStore::open(&dir).unwrap();
    assert!(!store.may_sign(&all.key_id(), "acme", "minilm"));
    assert_eq!(
        store
            .delegation_for("acme", "minilm")
            .unwrap()
            .keys()
            .count(),
        0
    );
    // To forget the rule is to say so.
    let pattern = "acme/minilm".parse().unwrap();
    assert!(TrustStore::update(&dir, |store| Ok(store.remove_delegation(&pattern))).unwrap());
    let store = TrustStore::open(&dir).unwrap();
    assert!(store.may_sign(&all.key_id(), "acme", "minilm"));
}

#[test]
fn a_rule_outlives_its_last_key() {
    let (_parent, dir) = store_dir();
    let (stolen, other, next) = (public_key(), public_key(), public_key());
    let two = 2.try_into().unwrap();
    let end = Validity {
        not_before: None,
        not_after: Some("2031-01-01T00:00:00Z".parse().unwrap()),
    };
    let caps = Caps {
        memory: Some(ByteSize::from_mib(64)),
        ..Caps::default()
    };
    TrustStore::update(&dir, |store| {
        store.insert_delegation(
            Delegation::new(["acme/*".parse().unwrap()])
                .with_key(stolen.clone(), Validity::default())
                .with_key(other.clone(), Validity::default())
                .with_threshold(two)
                .with_validity(end)
                .with_caps(caps.clone()),
        )?;
        store.insert_delegation(
            Delegation::new(["acme/minilm".parse().unwrap()])
                .with_key(stolen.clone(), Validity::default()),
        )
    })
    .unwrap();
    TrustStore::update(&dir, |store| {
        assert!(store.remove(&stolen.key_id()) && store.remove(&other.key_id()));
        Ok(())
    })
    .unwrap();
    let store = TrustStore::open(&dir).unwrap();
    assert!(store.is_empty(), "nobody is trusted");
    assert_eq!(store.delegations().len(), 2);
    let rule = store.delegation_for("acme", "other").unwrap();
    assert_eq!((rule.threshold(), rule.validity()), (two, end));
    assert_eq!(*rule.caps(), caps);
    // A new key for the publisher gets no hold of the model that has a rule of its own.
    TrustStore::update(&dir, |store| {
        store.remove_delegation(&"acme/*".parse().unwrap());
        store.insert(next.clone(), ["acme"])
    })
    .unwrap();
    let store = TrustStore::open(&dir).unwrap();
    assert!(store.may_sign(&next.key_id(), "acme", "other"));
    assert!(!store.may_sign(&next.key_id(), "acme", "minilm"));
}

#[test]
fn a_publisher_is_removed_with_every_rule_about_it() {
    let (_parent, dir) = store_dir();
    let (all, one) = (public_key(), public_key());
    add(&dir, &all, &["acme", "acme-labs"]);
    TrustStore::update(&dir, |store| {
        store.insert_model(one.clone(), "acme", "minilm")?;
        store.insert_delegation(
            Delegation::new(["acme/other".parse().unwrap(), "zeta/*".parse().unwrap()])
                .with_key(one.clone(), Validity::default()),
        )
    })
    .unwrap();
    assert!(TrustStore::update(&dir, |store| Ok(store.remove_publisher("acme"))).unwrap());
    let store = TrustStore::open(&dir).unwrap();
    for model in ["minilm", "other", "whatever"] {
        assert!(store.delegation_for("acme", model).is_none(), "{model}");
    }
    // Those whose names only begin alike, and those that shared a rule, are as they were.
    assert!(store.may_sign(&all.key_id(), "acme-labs", "x"));
    assert!(store.may_sign(&one.key_id(), "zeta", "x"));
    assert!(!TrustStore::update(&dir, |store| Ok(store.remove_publisher("acme"))).unwrap());
}

#[test]
fn a_threshold_that_no_keys_can_reach_is_refused() {
    let key = public_key();
    let mut store = TrustStore::new();
    let two = |delegation: Delegation| delegation.with_threshold(2.try_into().unwrap());
    let pattern = || "acme/*".parse().unwrap();
    let refused = store.edit(pattern(), |delegation| {
        Ok(two(delegation).with_key(key.clone(), Validity::default()))
    });
    assert_eq!(refused.unwrap_err().code(), "trust.malformed");
    // The same key twice is one key.
    let refused = store.edit(pattern(), |delegation| {
        Ok(two(delegation)
            .with_key(key.clone(), Validity::default())
            .with_key(key.clone(), Validity::default()))
    });
    assert_eq!(refused.unwrap_err().code(), "trust.malformed");
    assert!(store.is_empty(), "a refusal changes nothing");
    store
        .edit(pattern(), |delegation| {
            Ok(two(delegation)
                .with_key(key.clone(), Validity::default())
                .with_key(public_key(), Validity::default()))
        })
        .unwrap();
}

#[test]
fn everything_that_a_delegation_says_survives_the_file() {
    let (_parent, dir) = store_dir();
    let time = |text: &str| Some(text.parse().unwrap());
    let delegation = Delegation::new(["acme/*".parse().unwrap(), "zeta/one".parse().unwrap()])
        .with_key(
            public_key(),
            Validity {
                not_before: time("2026-01-01T00:00:00Z"),
                not_after: time("2028-01-01T00:00:00Z"),
            },
        )
        .with_key(public_key(), Validity::default())
        .with_threshold(2.try_into().unwrap())
        .with_validity(Validity {
            not_before: None,
            not_after: time("2029-01-01T00:00:00Z"),
        })
        .with_caps(Caps {
            capabilities: Some(["host-kernels".to_owned()].into()),
            memory: Some(ByteSize::from_mib(256)),
            fuel: Some(Fuel::new(7)),
            deadline: Some(Duration::from_millis(1_500)),
            output: Some(ByteSize::from_bytes(1_000)),
            init: InitCaps {
                memory: Some(ByteSize::from_mib(1024)),
                fuel: Some(Fuel::new(8)),
                deadline: Some(Duration::from_secs(30)),
            },
        });
    TrustStore::update(&dir, |store| store.insert_delegation(delegation.clone())).unwrap();
    let store = TrustStore::open(&dir).unwrap();
    assert_eq!(store.delegations(), [delegation]);
}

#[test]
fn a_store_written_by_hand_is_read() {
    let (_parent, dir) = store_dir();
    TrustStore::update(&dir, |_| Ok(())).unwrap();
    let key = public_key();
    let pem = key.to_pem().unwrap();
    fs::write(
        dir.join(TRUST_FILE),
        format!(
            "schema = 1\n\n[caps]\ninit_timeout = \"30s\"\n\n[[delegations]]\nmodels = [\"acme/*\"]\nnot_after = 2030-01-01T00:00:00Z\n\
             caps = {{ memory = \"256MiB\", fuel = 1000, timeout = \"5s\", capabilities = [] }}\n\
             keys = [{{ public_key = \"\"\"\n{pem}\"\"\" }}]\n"
        ),
    )
    .unwrap();
    let store = TrustStore::open(&dir).unwrap();
    let deciding = store.delegation_for("acme", "minilm").unwrap();
    assert!(deciding.has_key(&key.key_id()));
    assert_eq!(deciding.threshold().get(), 1);
    let deadline = store.caps().init.deadline;
    assert_eq!(deadline, Some(Duration::from_secs(30)), "for all models");
    assert_eq!(deciding.caps().memory, Some(ByteSize::from_mib(256)));
    assert_eq!(deciding.caps().deadline, Some(Duration::from_secs(5)));
    assert_eq!(deciding.caps().capabilities, Some([].into()));
    assert_eq!(
        deciding.validity().to_string(),
        "until 2030-01-01T00:00:00Z"
    );
}

#[test]
fn whoever_may_read_a_trust_directory_may_read_what_a_command_writes_there() {
    let (_parent, dir) = store_dir();
    add(&dir, &public_key(), &["acme"]);
    for (directory, file) in [(0o755, 0o644), (0o750, 0o640), (0o700, 0o600)] {
        fs::set_permissions(&dir, fs::Permissions::from_mode(directory)).unwrap();
        add(&dir, &public_key(), &["acme"]);
        let mode = fs::metadata(dir.join(TRUST_FILE)).unwrap().mode() & 0o7777;
        assert_eq!(mode, file, "{directory:o}");
    }
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
        assert_eq!(refused.code(), "trust.permissions", "{bad:o}");
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
            .all(|key| store.may_sign(&key.key_id(), "acme", "minilm"))
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
    let entry = &good[good.find("[[delegations]]").unwrap()..];
    let key_entry = &good[good.find("[[delegations.keys]]").unwrap()..];
    let with = |line: &str| good.replace("threshold = 1", &format!("threshold = 1\n{line}"));
    let of_key = |line: &str| {
        good.replace(
            "[[delegations.keys]]",
            &format!("[[delegations.keys]]\n{line}"),
        )
    };
    for (what, text) in [
        ("not TOML", "schema = ".to_owned()),
        ("no schema", good.replace("schema = 1", "")),
        (
            "an unknown field",
            good.replace("schema = 1", "schema = 1\nthreshold = 2"),
        ),
        ("an unknown field of a delegation", with("strength = 2")),
        ("an unknown field of a key", of_key("expires = 1")),
        ("an unknown cap", with("caps = { disk = \"1GiB\" }")),
        ("a cap of nothing", with("caps = { memory = \"0B\" }")),
        ("a cap without its unit", with("caps = { timeout = 5 }")),
        (
            "a fraction",
            good.replace("threshold = 1", "threshold = 1.0"),
        ),
        (
            "a threshold of none",
            good.replace("threshold = 1", "threshold = 0"),
        ),
        (
            "a negative threshold",
            good.replace("threshold = 1", "threshold = -1"),
        ),
        (
            "a threshold beyond counting",
            good.replace("threshold = 1", "threshold = 4294967297"),
        ),
        (
            "a threshold in words",
            good.replace("threshold = 1", "threshold = \"all\""),
        ),
        (
            "a time without a zone",
            with("not_after = 2030-01-01T00:00:00"),
        ),
        (
            "a time in another spelling",
            with("not_after = \"2030-01-01T00:00:00+00:00\""),
        ),
        (
            "an end before its beginning",
            with("not_before = 2030-01-01T00:00:00Z\nnot_after = 2029-01-01T00:00:00Z"),
        ),
        (
            "an end of a key before its beginning",
            of_key("not_before = 2030-01-01T00:00:00Z\nnot_after = 2029-01-01T00:00:00Z"),
        ),
        (
            "another key's id",
            good.replace(&id, &other.key_id().to_string()),
        ),
        ("an id in capitals", good.replace(&id, &id.to_uppercase())),
        ("a key twice", format!("{good}\n{key_entry}")),
        ("a pattern in two delegations", format!("{good}\n{entry}")),
        (
            "a pattern twice",
            good.replace("\"acme/*\"", "\"acme/*\", \"acme/*\""),
        ),
        ("no models", good.replace("\"acme/*\"", "")),
        ("models left out", good.replace("models = [\"acme/*\"]", "")),
        ("all publishers", good.replace("acme/*", "*/*")),
        ("a publisher alone", good.replace("acme/*", "acme")),
        (
            "a model that none can be",
            good.replace("acme/*", "acme/a/b"),
        ),
    ] {
        assert_ne!(text, good, "{what}");
        fs::write(dir.join(TRUST_FILE), text).unwrap();
        let error = TrustStore::open(&dir).unwrap_err();
        assert_eq!(error.code(), "trust.malformed", "{what}: {error}");
        assert!(matches!(
            TrustStore::update(&dir, |_| Ok(())),
            Err(Error::Trust(TrustError::Malformed { .. }))
        ));
    }
    let later = good.replace("schema = 1", "schema = 2\nfresh = \"idea\"");
    fs::write(dir.join(TRUST_FILE), later).unwrap();
    let later = TrustStore::open(&dir).unwrap_err();
    assert_eq!(later.code(), "trust.schema");
    fs::write(
        dir.join(TRUST_FILE),
        good.replace(&format!("id = \"{id}\""), ""),
    )
    .unwrap();
    let store = TrustStore::open(&dir).expect("a person may leave the id out");
    assert!(store.may_sign(&key.key_id(), "acme", "minilm"));
}
