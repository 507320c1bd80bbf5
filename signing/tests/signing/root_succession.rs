//! One root after another: what follows the installed one, in which order, and what never does.

use std::fs;
use std::path::PathBuf;

use ampoule_signing::{
    ROOT_FILE, ROOT_PAYLOAD_TYPE, Root, SecretKey, SignedRoot, TrustStore, VerifiedRoot, pae,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;

use crate::fixture::{Fixture, snapshot};
use crate::root::{Fleet, LATER, NOW, id, key, sign, threshold, time};

/// An envelope around whatever text, as another tool than ours might make.
fn signed_by_hand(payload: &str, keys: &[&SecretKey]) -> SignedRoot {
    let message = pae(ROOT_PAYLOAD_TYPE, payload.as_bytes());
    let signature = |key: &SecretKey| {
        let pem = key.to_plain_pem().unwrap();
        SigningKey::from_pkcs8_pem(&pem).unwrap().sign(&message)
    };
    let signatures: Vec<serde_json::Value> = keys
        .iter()
        .map(|key| {
            let signature = BASE64.encode(signature(key).to_bytes());
            json!({ "keyid": id(key), "sig": signature })
        })
        .collect();
    let text = format!(
        r#"{{"payload":"{}","payloadType":"{ROOT_PAYLOAD_TYPE}","signatures":{}}}"#,
        BASE64.encode(payload),
        serde_json::Value::Array(signatures)
    );
    SignedRoot::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_root_is_installed_once_and_only_its_successor_replaces_it() {
    let fleet = Fleet::installed();
    let before = snapshot(&fleet.trust());
    for other in [
        sign(&fleet.first, &[&fleet.ann, &fleet.bob]),
        sign(&fleet.next(), &[&fleet.ann, &fleet.bob]),
    ] {
        let error = VerifiedRoot::install(&fleet.trust(), other, time(NOW)).unwrap_err();
        assert_eq!(error.code(), "trust.root-installed");
    }
    assert_eq!(snapshot(&fleet.trust()), before);
    let updated = fleet
        .update([sign(&fleet.next(), &[&fleet.bob, &fleet.eve])])
        .unwrap();
    assert_eq!((updated.root().version(), fleet.version()), (2, 2));
    let nowhere = fleet.dir.path().join("nowhere");
    let error = VerifiedRoot::update(&nowhere, [], time(NOW)).unwrap_err();
    assert_eq!(error.code(), "trust.root-missing");
    assert!(!nowhere.exists());
}

#[test]
fn a_new_root_needs_the_threshold_of_the_old_and_of_the_new() {
    let fleet = Fleet::installed();
    let (ann, bob, eve) = (&fleet.ann, &fleet.bob, &fleet.eve);
    let (dan, fay) = (key(), key());
    // Bob and Eve go, Dan and Fay come.
    let next = fleet
        .next()
        .with_key(dan.public_key().clone())
        .unwrap()
        .with_key(fay.public_key().clone())
        .unwrap()
        .without_key(&id(bob))
        .unwrap()
        .without_key(&id(eve))
        .unwrap();
    for (signers, code) in [
        (vec![&dan, &fay], "trust.unknown-key"),
        (vec![ann, &dan, &fay], "trust.threshold"),
        (vec![bob, eve], "trust.unknown-key"),
        (vec![ann, bob, eve], "trust.threshold"),
        (vec![bob, eve, &dan], "trust.threshold"),
    ] {
        assert_eq!(fleet.refusal(sign(&next, &signers)), code);
    }
    // Ann is in both, and counts in both.
    fleet.update([sign(&next, &[ann, bob, &dan])]).unwrap();
    // From now on the new keys decide.
    let third = next.next(time(LATER)).unwrap();
    assert_eq!(
        fleet.refusal(sign(&third, &[bob, eve])),
        "trust.unknown-key"
    );
    assert_eq!(
        fleet.refusal(sign(&third, &[ann, bob, eve])),
        "trust.threshold"
    );
    fleet.update([sign(&third, &[&dan, &fay])]).unwrap();
    assert_eq!(fleet.version(), 3);
}

#[test]
fn a_root_of_another_name_is_no_successor() {
    let fleet = Fleet::installed();
    // The same people sign for another fleet, and are further there.
    let mut other: serde_json::Value =
        serde_json::from_str(&fleet.next().to_json().unwrap()).unwrap();
    other["name"] = "staging".into();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let signed = SignedRoot::sign(other.to_string().into_bytes(), &everybody).unwrap();
    assert_eq!(fleet.refusal(signed), "trust.root-name");
    fleet.update([sign(&fleet.next(), &everybody)]).unwrap();
}

#[test]
fn a_root_of_a_later_schema_is_refused_and_the_installed_one_stays() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let later = json!({ "schema": 2, "name": "fleet", "version": 2, "fresh": "idea" });
    // It can be signed only by a tool that knows it, as another program may.
    let later = signed_by_hand(&later.to_string(), &everybody);
    assert_eq!(fleet.refusal(later.clone()), "trust.schema");
    assert!(
        TrustStore::open(&fleet.trust())
            .unwrap()
            .may_sign(&id(&fleet.acme), "acme", "minilm")
    );
    // What is given before it is taken.
    let error = fleet
        .update([sign(&fleet.next(), &everybody), later])
        .unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.schema", 2));
}

#[test]
fn a_higher_threshold_holds_for_the_root_that_brings_it() {
    let fleet = Fleet::installed();
    let (ann, bob, eve) = (&fleet.ann, &fleet.bob, &fleet.eve);
    let next = fleet.next().with_threshold(threshold(3)).unwrap();
    assert_eq!(fleet.refusal(sign(&next, &[ann, bob])), "trust.threshold");
    fleet.update([sign(&next, &[ann, bob, eve])]).unwrap();
    // And a lower one only from the next on.
    let lower = next
        .next(time(LATER))
        .unwrap()
        .with_threshold(threshold(1))
        .unwrap();
    assert_eq!(fleet.refusal(sign(&lower, &[ann, bob])), "trust.threshold");
    fleet.update([sign(&lower, &[ann, bob, eve])]).unwrap();
    let last = lower.next(time(LATER)).unwrap();
    fleet.update([sign(&last, &[eve])]).unwrap();
}

#[test]
fn an_older_root_is_refused_whenever_it_comes() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    fleet.update([sign(&second, &everybody)]).unwrap();
    assert_eq!(
        fleet.refusal(sign(&fleet.first, &everybody)),
        "trust.root-rollback"
    );
    // Another root of the same version is one of two that cannot both be right.
    let other = fleet.first.clone().next(time(NOW)).unwrap();
    assert_eq!(
        fleet.refusal(sign(&other, &everybody)),
        "trust.root-rollback"
    );
    // The very same is nothing new, whoever signed this copy.
    let before = snapshot(&fleet.trust());
    let same = fleet.update([sign(&second, &[&fleet.ann])]).unwrap();
    assert_eq!(same.root().version(), 2);
    assert_eq!(
        snapshot(&fleet.trust())[&fleet.trust().join(ROOT_FILE)],
        before[&fleet.trust().join(ROOT_FILE)]
    );
}

#[test]
fn no_version_is_left_out_and_a_chain_is_followed() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    let third = second.clone().next(time(LATER)).unwrap();
    let signed = |root: &Root| sign(root, &everybody);
    assert_eq!(fleet.refusal(signed(&third)), "trust.root-version");
    // In the wrong order the second comes too late; nothing was replaced before.
    let error = fleet.update([signed(&third), signed(&second)]).unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.root-version", 1));
    fleet.update([signed(&second), signed(&third)]).unwrap();
    assert_eq!(fleet.version(), 3);
}

#[test]
fn each_link_is_in_place_before_the_next_one_is_looked_at() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    let third = second.clone().next(time(LATER)).unwrap();
    let unreadable = || SignedRoot::parse(b"cut off");
    // The second takes trust back from a stolen key; the third is not worth believing.
    let weak = sign(&third, &[&fleet.ann]);
    let error = fleet.update([sign(&second, &everybody), weak]).unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.threshold", 2));

    // What cannot be read is reported, and keeps no other from its place.
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let second = fleet.next();
    let third = second.clone().next(time(LATER)).unwrap();
    let fourth = third.clone().next(time(LATER)).unwrap();
    let error = fleet
        .update_from([unreadable(), Ok(sign(&second, &everybody))])
        .unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("envelope.malformed", 2));
    // Nor is another blamed for the gap that it leaves.
    let error = fleet
        .update_from([unreadable(), Ok(sign(&fourth, &everybody))])
        .unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("envelope.malformed", 2));
}

#[test]
fn one_list_of_roots_serves_hosts_at_different_versions() {
    let fleet = Fleet::new();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let mut roots = vec![fleet.first.clone()];
    for _ in 1..12 {
        roots.push(roots.last().unwrap().clone().next(time(LATER)).unwrap());
    }
    let mut paths: Vec<PathBuf> = roots
        .iter()
        .map(|root| {
            let path = fleet
                .dir
                .path()
                .join(format!("{}.root.dsse.json", root.version()));
            sign(root, &everybody).write_file(&path).unwrap();
            path
        })
        .collect();
    // As a shell would give them: 10 before 2.
    paths.sort();
    for at in [1, 3, 12] {
        let host = fleet.dir.path().join(format!("host-{at}"));
        let first = sign(&fleet.first, &everybody);
        VerifiedRoot::install(&host, first, time(NOW)).unwrap();
        let until = |version| {
            roots[..version]
                .iter()
                .map(|root| Ok(sign(root, &everybody)))
        };
        VerifiedRoot::update(&host, until(at), time(NOW)).unwrap();
        let updated = VerifiedRoot::update(&host, SignedRoot::read_files(&paths), time(NOW));
        assert_eq!(updated.unwrap().root().version(), 12, "from {at}");
        // Nothing but old ones is no update.
        let error = VerifiedRoot::update(&host, until(11), time(NOW)).unwrap_err();
        assert_eq!(error.code(), "trust.root-rollback");
    }
}

#[test]
fn a_chain_may_have_expired_but_for_its_last_root() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let long_ago = fleet
        .first
        .clone()
        .next(time("2027-01-01T00:00:00Z"))
        .unwrap();
    let fresh = long_ago.clone().next(time(LATER)).unwrap();
    let chain = [&long_ago, &fresh].map(|root| sign(root, &everybody));
    assert_eq!(fleet.update(chain).unwrap().root().version(), 3);
}

#[test]
fn a_last_root_that_has_expired_is_put_in_place_and_trusts_nobody() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    let expired = fleet
        .first
        .clone()
        .next(time("2027-01-01T00:00:00Z"))
        .unwrap();
    let error = fleet.update([sign(&expired, &everybody)]).unwrap_err();
    assert_eq!((error.code(), fleet.version()), ("trust.root-expired", 2));
    // The old one, which may trust stolen keys, does not come back.
    assert_eq!(
        fleet.refusal(sign(&fleet.first, &everybody)),
        "trust.root-rollback"
    );
    let fixture = Fixture::unsigned();
    ampoule_signing::sign_directory(&fixture.path(), &[&fleet.acme]).unwrap();
    let store = TrustStore::open(&fleet.trust()).expect("it can still be shown");
    let error = ampoule_signing::Bundle::open(&fixture.path())
        .unwrap()
        .verify(&store, time(NOW))
        .unwrap_err();
    assert_eq!(error.code(), "trust.root-expired");
}

#[test]
fn two_updates_at_once_leave_one_whole_root() {
    let fleet = Fleet::installed();
    let everybody = [&fleet.ann, &fleet.bob, &fleet.eve];
    // Somebody else is at it: an update waits until they are done.
    let lock = fs::File::open(fleet.trust().join("trust.lock")).unwrap();
    lock.lock().unwrap();
    let next = sign(&fleet.next(), &everybody);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fleet.update([next]));
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(!waiting.is_finished(), "it does not wait");
        assert_eq!(fleet.version(), 1);
        lock.unlock().unwrap();
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(fleet.version(), 2);
    // Two successors of the same version that differ in their end: only one can win.
    let ends = ["2027-07-01T00:00:00Z", "2027-08-01T00:00:00Z"];
    let results: Vec<bool> = std::thread::scope(|scope| {
        let running: Vec<_> = ends
            .iter()
            .map(|end| {
                let third = fleet.next().next(time(end)).unwrap();
                let (third, trust) = (sign(&third, &everybody), fleet.trust());
                scope.spawn(move || VerifiedRoot::update(&trust, [Ok(third)], time(NOW)).is_ok())
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(results.iter().filter(|is_ok| **is_ok).count(), 1);
    assert_eq!(fleet.version(), 3);
}
