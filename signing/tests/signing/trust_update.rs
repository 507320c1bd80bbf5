//! Changes of `trust.toml` leave a file that is read again, or the one that was there.

use std::fs;
use std::time::Duration;

use ampoule_signing::{
    ByteSize, Caps, Delegation, Fuel, InitCaps, KeyId, SecretKey, TRUST_FILE, TrustStore, Validity,
};

use crate::fixture::snapshot;

/// A trust directory where one key is trusted for acme's models, with a remark by hand.
fn store_dir() -> (tempfile::TempDir, KeyId) {
    let dir = tempfile::tempdir().unwrap();
    let key = SecretKey::generate().unwrap();
    let id = TrustStore::update(dir.path(), |store| {
        store.insert(key.public_key().clone(), ["acme"])
    })
    .unwrap();
    let file = dir.path().join(TRUST_FILE);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("# ask Ann\n{text}")).unwrap();
    (dir, id)
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let (dir, _) = store_dir();
    let caps = |change: fn(&mut Caps)| {
        let mut caps = Caps::default();
        change(&mut caps);
        move |delegation: Delegation| delegation.with_caps(caps)
    };
    let init = |change: fn(&mut InitCaps)| {
        let mut caps = Caps::default();
        change(&mut caps.init);
        move |delegation: Delegation| delegation.with_caps(caps)
    };
    let backwards = Validity {
        not_before: Some("2031-01-01T00:00:00Z".parse().unwrap()),
        not_after: Some("2030-01-01T00:00:00Z".parse().unwrap()),
    };
    let key = SecretKey::generate().unwrap().public_key().clone();
    type Change = Box<dyn FnOnce(Delegation) -> Delegation>;
    let cases: [(&str, Change); 12] = [
        (
            "an end before its beginning",
            Box::new(move |delegation| delegation.with_validity(backwards)),
        ),
        (
            "a key's end before its beginning",
            Box::new(move |delegation| delegation.with_key(key, backwards)),
        ),
        (
            "a capability that none can be",
            Box::new(caps(|caps| {
                caps.capabilities = Some(["host_kernels".to_owned()].into());
            })),
        ),
        (
            "no memory",
            Box::new(caps(|caps| caps.memory = Some(ByteSize::from_bytes(0)))),
        ),
        (
            "no output",
            Box::new(caps(|caps| caps.output = Some(ByteSize::from_bytes(0)))),
        ),
        (
            "no fuel",
            Box::new(caps(|caps| caps.fuel = Some(Fuel::new(0)))),
        ),
        (
            "fuel beyond a double",
            Box::new(caps(|caps| caps.fuel = Some(Fuel::new(1 << 53)))),
        ),
        (
            "all the fuel",
            Box::new(caps(|caps| caps.fuel = Some(Fuel::new(u64::MAX)))),
        ),
        (
            "no time",
            Box::new(caps(|caps| caps.deadline = Some(Duration::ZERO))),
        ),
        (
            "half a millisecond more",
            Box::new(caps(|caps| {
                caps.deadline = Some(Duration::from_micros(1_500));
            })),
        ),
        (
            "no memory to load in",
            Box::new(init(|init| init.memory = Some(ByteSize::from_bytes(0)))),
        ),
        (
            "no fuel to load with",
            Box::new(init(|init| init.fuel = Some(Fuel::new(0)))),
        ),
    ];
    for (what, change) in cases {
        let before = snapshot(dir.path());
        let refused = TrustStore::update(dir.path(), |store| {
            store
                .edit("acme/*".parse().unwrap(), |delegation| {
                    Ok(change(delegation))
                })
                .map(drop)
        });
        let error = refused.expect_err(what);
        assert_eq!(error.code(), "trust.malformed", "{what}: {error}");
        assert_eq!(snapshot(dir.path()), before, "{what}");
        TrustStore::open(dir.path()).unwrap();
    }
}

#[test]
fn a_store_that_grows_over_what_is_read_is_not_written() {
    let (dir, _) = store_dir();
    let before = snapshot(dir.path());
    // Each is as long as a name may be.
    let models = (0..20_000).map(|number| format!("other/{number:060}").parse().unwrap());
    let refused = TrustStore::update(dir.path(), |store| {
        store.insert_delegation(Delegation::new(models))
    });
    assert_eq!(refused.unwrap_err().code(), "trust.malformed");
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn a_change_of_nothing_writes_nothing() {
    let (dir, id) = store_dir();
    let before = snapshot(dir.path());
    let stranger = SecretKey::generate().unwrap().public_key().key_id();
    assert!(!TrustStore::update(dir.path(), |store| Ok(store.remove(&stranger))).unwrap());
    TrustStore::update(dir.path(), |store| {
        store.edit("acme/*".parse().unwrap(), Ok).map(drop)
    })
    .unwrap();
    assert_eq!(snapshot(dir.path()), before, "the remark is still there");
    assert!(TrustStore::update(dir.path(), |store| Ok(store.remove(&id))).unwrap());
    assert_ne!(snapshot(dir.path()), before);
    // Where there is no trust.toml, none is made, which would keep a root from being installed.
    let fresh = tempfile::tempdir().unwrap();
    assert!(!TrustStore::update(fresh.path(), |store| Ok(store.remove(&id))).unwrap());
    assert!(!fresh.path().join(TRUST_FILE).exists());
}
