//! A revocation list: the installed one, and one that is to replace an older one.

use std::fs;

use ampoule_signing::{
    Error, REVOCATIONS_FILE, REVOCATIONS_PAYLOAD_TYPE, RevocationAuthority, RevocationList,
    Revoked, Role, Sha256Digest, SignedRevocations, TrustStore,
};

use super::document::{Document, Form, assert_full};
use super::fields::{Format, Rule};
use super::mutation::Mutation;
use super::root::Trust;
use super::signer::{Signer, envelope};
use super::tally::Outcome::{Accepted, Refused};
use crate::root::{LATER, NOW, threshold, time};

const FORMAT: Format = Format {
    malformed: "trust.malformed",
    field: "trust.malformed",
    optional: &[
        "/keys",
        "/manifests",
        "/components",
        "/keys/*/reason",
        "/manifests/*/reason",
        "/components/*/reason",
    ],
    maps: &[],
    rules: &[
        Rule {
            fields: &["/schema"],
            when: Mutation::Changed,
            ends: &[("", Refused("trust.schema"))],
        },
        Rule {
            fields: &["/schema"],
            when: Mutation::LargestNumber,
            ends: &[("", Refused("trust.schema"))],
        },
        // It is for the hosts that it names.
        Rule {
            fields: &["/name"],
            when: Mutation::Changed,
            ends: &[("", Refused("trust.revocations-name"))],
        },
        // Lists: what may be one less.
        Rule {
            fields: &["/keys/*", "/manifests/*", "/components/*"],
            when: Mutation::Removed,
            ends: &[("", Accepted)],
        },
    ],
};

/// Says in `trust.toml` that these sign the lists.
fn set_up(trust: &Trust, signers: &[Signer; 2]) {
    let role = Role::new(signers.each_ref().map(Signer::public_key), threshold(2)).unwrap();
    let authority = RevocationAuthority::new("fleet", role).unwrap();
    TrustStore::update(&trust.path(), |store| {
        store.set_revocation_authority(Some(authority));
        Ok(())
    })
    .unwrap();
}

/// A list that is read from the trust directory.
fn as_installed(bytes: &[u8], trust: &Trust) -> Result<Sha256Digest, Error> {
    fs::write(trust.path().join(REVOCATIONS_FILE), bytes).unwrap();
    let store = TrustStore::open(&trust.path())?;
    assert!(store.revocations().is_some());
    Ok(SignedRevocations::parse(bytes)?.digest())
}

/// A list that is to replace `before`. A refusal leaves that one in place.
fn as_the_next(bytes: &[u8], trust: &Trust, before: &[u8]) -> Result<Sha256Digest, Error> {
    let path = trust.path().join(REVOCATIONS_FILE);
    let lists = [SignedRevocations::parse(bytes)];
    let updated = TrustStore::update_revocations(&trust.path(), lists, time(NOW));
    let expected = if updated.is_ok() { bytes } else { before };
    assert_eq!(fs::read(&path).unwrap(), expected);
    fs::write(&path, before).unwrap();
    updated?;
    Ok(SignedRevocations::parse(bytes)?.digest())
}

/// A list in which nothing is left out.
fn full_list() -> RevocationList {
    let mut list = RevocationList::new("fleet", time(LATER)).unwrap();
    let digest = |text: &str| Sha256Digest::of(text.as_bytes());
    for what in [
        Revoked::Key(Signer::new(21).public_key().key_id()),
        Revoked::Key(Signer::new(22).public_key().key_id()),
        Revoked::Manifest(digest("one manifest")),
        Revoked::Manifest(digest("another manifest")),
        Revoked::Component(digest("one component")),
        Revoked::Component(digest("another component")),
    ] {
        list = list.with(what, Some("it was stolen".to_owned())).unwrap();
    }
    list
}

pub(super) fn document() -> Document {
    let signers = [Signer::new(1), Signer::new(2)];
    let first = full_list();
    let payload = first.to_json().unwrap().into_bytes();
    let entries: Vec<_> = signers
        .iter()
        .map(|signer| signer.sign(REVOCATIONS_PAYLOAD_TYPE, &payload))
        .collect();
    let before = envelope(REVOCATIONS_PAYLOAD_TYPE, &payload, &entries);
    let second = first.next(time(LATER)).unwrap();
    assert_full(&second);

    let [one, other] = std::array::from_fn(|_| Trust::new());
    set_up(&one, &signers);
    set_up(&other, &signers);
    fs::write(other.path().join(REVOCATIONS_FILE), &before).unwrap();
    Document {
        name: "revocation list",
        payload_type: REVOCATIONS_PAYLOAD_TYPE,
        content: serde_json::from_str(&second.to_json().unwrap()).unwrap(),
        signers,
        format: FORMAT,
        forms: vec![
            Form {
                name: "as the installed one",
                brings_its_keys: false,
                other_payload: Refused("signature.invalid"),
                open: Box::new(move |bytes| as_installed(bytes, &one)),
            },
            Form {
                name: "as the next one",
                brings_its_keys: false,
                other_payload: Refused("signature.invalid"),
                open: Box::new(move |bytes| as_the_next(bytes, &other, &before)),
            },
        ],
        stride: 3,
    }
}
