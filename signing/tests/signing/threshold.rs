//! Thresholds: the number of keys that have to sign, the keys that count, and their times.

use std::num::NonZeroU32;

use ampoule_signing::{
    Bundle, Delegation, Envelope, Error, KeyId, PublicKey, SecretKey, Timestamp, TrustError,
    TrustStore, Validity, sign_directory,
};
use serde_json::json;

use crate::fixture::Fixture;

pub(crate) fn keys<const N: usize>() -> [SecretKey; N] {
    std::array::from_fn(|_| SecretKey::generate().unwrap())
}

fn id(key: &SecretKey) -> KeyId {
    key.public_key().key_id()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `acme/*` takes `threshold` of these keys.
pub(crate) fn trust(threshold: u32, keys: &[SecretKey]) -> TrustStore {
    let mut delegation = Delegation::new(["acme/*".parse().unwrap()])
        .with_threshold(NonZeroU32::new(threshold).unwrap());
    for key in keys {
        delegation = delegation.with_key(key.public_key().clone(), Validity::default());
    }
    let mut trust = TrustStore::new();
    trust.insert_delegation(delegation).unwrap();
    trust
}

pub(crate) fn signed_by(keys: &[&SecretKey]) -> Fixture {
    let fixture = Fixture::unsigned();
    sign_directory(&fixture.path(), keys).unwrap();
    fixture
}

#[test]
fn a_bundle_with_enough_signatures_is_verified_and_one_with_fewer_refused() {
    let keys = keys::<3>();
    let trust = trust(2, &keys);
    for pair in [[0, 1], [1, 2], [2, 0]] {
        let fixture = signed_by(&pair.map(|index| &keys[index]));
        let verified = fixture.verify_with(&trust).unwrap();
        let mut expected = pair.map(|index| id(&keys[index])).to_vec();
        expected.sort();
        assert_eq!(verified.signers(), expected);
    }
    let fixture = signed_by(&[&keys[0], &keys[1], &keys[2]]);
    assert_eq!(fixture.verify_with(&trust).unwrap().signers().len(), 3);
    for key in &keys {
        let fixture = signed_by(&[key]);
        assert_eq!(fixture.refusal_with(&trust), "trust.threshold");
        let error = fixture.verify_with(&trust).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("acme/minilm needs the signatures of 2 of 3 trusted keys, found 1: ")
                && text.contains(&id(key).to_string()),
            "{text}"
        );
        assert!(
            matches!(error, Error::Trust(TrustError::Threshold { found, needed: 2, keys: 3, .. })
            if found == [id(key)])
        );
    }
}

#[test]
fn strangers_and_keys_for_other_publishers_never_count() {
    let keys = keys::<2>();
    let [stranger, other] = self::keys::<2>();
    let mut trust = trust(2, &keys);
    trust.insert(other.public_key().clone(), ["other"]).unwrap();
    let fixture = signed_by(&[&stranger, &keys[0], &other]);
    assert_eq!(fixture.refusal_with(&trust), "trust.threshold");
    let fixture = signed_by(&[&other]);
    assert_eq!(fixture.refusal_with(&trust), "trust.publisher");
    let fixture = signed_by(&[&stranger, &keys[1], &other, &keys[0]]);
    assert_eq!(fixture.verify_with(&trust).unwrap().signers().len(), 2);
}

#[test]
fn a_signature_that_stands_twice_never_counts_twice() {
    let keys = keys::<2>();
    let trust = trust(2, &keys);
    let fixture = signed_by(&[&keys[0]]);
    let text = String::from_utf8(fixture.envelope_bytes()).unwrap();
    let start = text.find("[{").unwrap() + 1;
    let signature = &text[start..text.len() - 2];
    let twice = |second: &str| format!("{},{second}]}}", &text[..text.len() - 2]);
    // Once more as it is, and under another spelling of its key's id.
    fixture.write_envelope(twice(signature).as_bytes());
    assert_eq!(fixture.refusal_with(&trust), "envelope.malformed");
    let upper = signature.replace(
        &id(&keys[0]).to_string(),
        &id(&keys[0]).to_string().to_uppercase(),
    );
    fixture.write_envelope(twice(&upper).as_bytes());
    assert_eq!(fixture.refusal_with(&trust), "envelope.malformed");
    // In the name of a stranger it is a stranger's; in that of the other key it does not fit.
    let foreign = signature.replace(&id(&keys[0]).to_string(), &"0".repeat(64));
    fixture.write_envelope(twice(&foreign).as_bytes());
    assert_eq!(fixture.refusal_with(&trust), "trust.threshold");
    let renamed = signature.replace(&id(&keys[0]).to_string(), &id(&keys[1]).to_string());
    fixture.write_envelope(twice(&renamed).as_bytes());
    assert_eq!(fixture.refusal_with(&trust), "signature.invalid");
}

#[test]
fn one_key_in_two_pem_texts_is_one_key() {
    let [key, other] = keys::<2>();
    let pem = key.public_key().to_pem().unwrap();
    // Other line ends, the same key.
    let again = pem.replace('\n', "\r\n");
    assert_eq!(PublicKey::from_pem(&again).unwrap().key_id(), id(&key));
    let two = |second: &str| {
        json!({
            "models": ["acme/*"],
            "threshold": 2,
            "keys": [{ "public_key": pem }, { "public_key": second }],
        })
    };
    let other = other.public_key().to_pem().unwrap();
    // In trust.toml. JSON's strings are TOML's.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(ampoule_signing::TRUST_FILE);
    let open = |second: &str| {
        let keys = format!(
            "keys = [{{ public_key = {} }}, {{ public_key = {} }}]",
            json!(pem),
            json!(second)
        );
        let rule = format!("[[delegations]]\nmodels = [\"acme/*\"]\nthreshold = 2\n{keys}\n");
        std::fs::write(&file, format!("schema = 1\n{rule}")).unwrap();
        TrustStore::open(dir.path()).map(|store| store.keys().len())
    };
    assert_eq!(open(&other).unwrap(), 2);
    let error = open(&again).unwrap_err();
    assert_eq!(error.code(), "trust.malformed");
    assert!(error.to_string().contains("stands twice"), "{error}");
    // In a root, as a publisher's key and as one of its own.
    let fleet = crate::root::Fleet::new();
    let root: serde_json::Value = serde_json::from_str(&fleet.first.to_json().unwrap()).unwrap();
    let parse = |place: &str, value: serde_json::Value| {
        let mut root = root.clone();
        *root.pointer_mut(place).unwrap() = value;
        ampoule_signing::Root::parse(root.to_string().as_bytes()).map_err(|error| error.to_string())
    };
    parse("/delegations/0", two(&other)).unwrap();
    for (place, second) in [
        ("/delegations/0", two(&again)),
        ("/roles/root/keys", two(&again)["keys"].clone()),
    ] {
        let error = parse(place, second).unwrap_err();
        assert!(error.contains("stands twice"), "{error}");
    }
}

#[test]
fn a_threshold_for_one_model_is_its_own() {
    let keys = keys::<2>();
    let mut trust = trust(1, &keys);
    let strict = Delegation::new(["acme/minilm".parse().unwrap()])
        .with_key(keys[0].public_key().clone(), Validity::default())
        .with_key(keys[1].public_key().clone(), Validity::default())
        .with_threshold(NonZeroU32::new(2).unwrap());
    trust.insert_delegation(strict).unwrap();
    let fixture = signed_by(&[&keys[0]]);
    assert_eq!(fixture.refusal_with(&trust), "trust.threshold");
    signed_by(&[&keys[0], &keys[1]])
        .verify_with(&trust)
        .unwrap();
    let mut manifest = fixture.manifest_json();
    manifest["name"] = json!("other");
    let envelope = Envelope::sign(manifest.to_string().into_bytes(), &[&keys[0]]).unwrap();
    fixture.write_envelope(&envelope.to_bytes().unwrap());
    fixture.verify_with(&trust).unwrap();
}

#[test]
fn where_too_few_keys_are_left_the_message_says_so() {
    let keys = keys::<2>();
    let mut trust = trust(2, &keys);
    let fixture = signed_by(&[&keys[0], &keys[1]]);
    fixture.verify_with(&trust).unwrap();
    assert!(trust.remove(&id(&keys[1])));
    let error = fixture.verify_with(&trust).unwrap_err();
    assert_eq!(error.code(), "trust.threshold");
    assert!(error.to_string().contains("ampoule trust add"), "{error}");
    assert!(trust.delegations()[0].to_string().contains("too few"));
}

#[test]
fn a_key_counts_only_while_it_is_valid() {
    let keys = keys::<2>();
    let validity = Validity {
        not_before: Some(time("2030-01-01T00:00:00Z")),
        not_after: Some(time("2031-01-01T00:00:00Z")),
    };
    let mut trust = TrustStore::new();
    let delegation = Delegation::new(["acme/*".parse().unwrap()])
        .with_key(keys[0].public_key().clone(), Validity::default())
        .with_key(keys[1].public_key().clone(), validity);
    trust.insert_delegation(delegation.clone()).unwrap();
    let one = signed_by(&[&keys[1]]);
    let both = signed_by(&[&keys[0], &keys[1]]);
    let verify = |fixture: &Fixture, trust: &TrustStore, now: &str| {
        Bundle::open(&fixture.path())
            .unwrap()
            .verify(trust, time(now))
            .map(|verified| verified.signers().len())
            .map_err(|error| error.code())
    };
    for (now, expected) in [
        ("2029-12-31T23:59:59Z", Err("trust.validity")),
        ("2030-01-01T00:00:00Z", Ok(1)),
        ("2031-01-01T00:00:00Z", Ok(1)),
        ("2031-01-01T00:00:01Z", Err("trust.validity")),
    ] {
        assert_eq!(verify(&one, &trust, now), expected, "{now}");
        // The other key is enough, and the one out of time is no signer.
        assert_eq!(
            verify(&both, &trust, now),
            Ok(1 + usize::from(expected.is_ok()))
        );
    }
    // Where two are needed, the one out of time is missing.
    let mut strict = TrustStore::new();
    strict
        .insert_delegation(delegation.with_threshold(NonZeroU32::new(2).unwrap()))
        .unwrap();
    assert_eq!(verify(&both, &strict, "2030-06-01T00:00:00Z"), Ok(2));
    assert_eq!(
        verify(&both, &strict, "2032-01-01T00:00:00Z"),
        Err("trust.validity")
    );
    assert_eq!(
        verify(&one, &strict, "2032-01-01T00:00:00Z"),
        Err("trust.threshold")
    );
}

#[test]
fn to_name_a_key_once_more_does_not_make_it_count_for_longer() {
    let [key] = keys::<1>();
    let bound = |not_before: Option<&str>, not_after: Option<&str>| Validity {
        not_before: not_before.map(time),
        not_after: not_after.map(time),
    };
    let (first, last) = (Some("2030-01-01T00:00:00Z"), Some("2031-01-01T00:00:00Z"));
    let public = || key.public_key().clone();
    let old = Delegation::new(["acme/*".parse().unwrap()]).with_key(public(), bound(None, last));
    let again = old.clone().with_key(public(), Validity::default());
    assert_eq!(again.key_validity(&id(&key)), Some(bound(None, last)));
    let narrower = again.with_key(public(), bound(first, None));
    assert_eq!(narrower.key_validity(&id(&key)), Some(bound(first, last)));
    // A store that is told of it once more says the same.
    let mut store = TrustStore::new();
    store.insert_delegation(old).unwrap();
    store.insert(public(), ["acme"]).unwrap();
    let kept = store.delegations()[0].key_validity(&id(&key));
    assert_eq!(kept, Some(bound(None, last)));
    // To widen it is to say so.
    let wide = narrower.with_key_at(public(), Validity::default());
    assert_eq!(wide.key_validity(&id(&key)), Some(Validity::default()));
}

#[test]
fn a_delegation_holds_only_while_it_is_valid() {
    let keys = keys::<1>();
    let mut trust = TrustStore::new();
    let delegation = Delegation::new(["acme/*".parse().unwrap()])
        .with_key(keys[0].public_key().clone(), Validity::default())
        .with_validity(Validity {
            not_before: None,
            not_after: Some(time("2026-01-01T00:00:00Z")),
        });
    trust.insert_delegation(delegation).unwrap();
    let fixture = signed_by(&[&keys[0]]);
    assert_eq!(fixture.refusal_with(&trust), "trust.validity");
    let error = fixture.verify_with(&trust).unwrap_err().to_string();
    assert!(
        error.contains("acme/* is trusted until 2026-01-01T00:00:00Z"),
        "{error}"
    );
}
