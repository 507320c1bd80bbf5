//! Advice in a refusal: another for a root than for a bundle.

use ampoule_signing::{Envelope, Manifest, SecretKey, SignedRoot};

use crate::fixture::{Fixture, trust};
use crate::root::{Fleet, install, sign};

#[track_caller]
fn says(message: &str, advice: &str, not: &str) {
    assert!(message.contains(advice), "{message}");
    assert!(!message.contains(not), "{message}");
}

#[test]
fn an_unsigned_document_is_sent_to_the_command_that_signs_it() {
    let fixture = Fixture::unsigned();
    fixture.write_envelope(
        &Envelope::sign(b"{}".to_vec(), &[])
            .unwrap()
            .to_bytes()
            .unwrap(),
    );
    let bundle = fixture.verify().unwrap_err().to_string();
    says(
        &bundle,
        "the bundle is unsigned; sign it with `ampoule-sign sign`",
        "root",
    );
    let root = install(sign(&Fleet::new().first, &[])).unwrap_err();
    says(
        &root.to_string(),
        "the root is unsigned; sign it with `ampoule-sign root sign`",
        "bundle",
    );
}

#[test]
fn a_strangers_key_is_to_be_trusted_for_a_bundle_and_never_for_a_root() {
    let stranger = SecretKey::generate().unwrap();
    let bundle = Fixture::signed().verify_with(&trust(&stranger, "acme"));
    says(
        &bundle.unwrap_err().to_string(),
        "`ampoule trust add`",
        "root",
    );
    // A root that only somebody from outside signed, as a successor may be.
    let fleet = Fleet::new();
    let first = install(sign(&fleet.first, &[&fleet.ann, &fleet.bob])).unwrap();
    let next = sign(&fleet.next(), &[&stranger]);
    let root = first.follow(next).unwrap_err();
    assert_eq!(root.code(), "trust.unknown-key");
    says(&root.to_string(), "`ampoule-sign root cosign`", "trust add");
}

#[test]
fn a_missing_signature_is_asked_for_by_the_right_command() {
    let fleet = Fleet::new();
    let root = install(sign(&fleet.first, &[&fleet.ann])).unwrap_err();
    assert_eq!(root.code(), "trust.threshold");
    says(
        &root.to_string(),
        "`ampoule-sign root cosign`",
        "`ampoule-sign cosign`",
    );
}

#[test]
fn an_envelope_that_is_none_is_called_what_it_should_have_been() {
    let root = SignedRoot::parse(b"{}").unwrap_err();
    says(&root.to_string(), "sign the root again", "bundle");
    let bundle = Envelope::parse(b"{}").unwrap_err();
    says(&bundle.to_string(), "sign the bundle again", "root");
}

#[test]
fn a_mark_that_nobody_sees_before_a_document_is_named() {
    let utf8 = b"\xef\xbb\xbf{}";
    let utf16 = b"\xff\xfe{\0}\0";
    for (document, name) in [(&utf8[..], "a byte order mark"), (&utf16[..], "UTF-16")] {
        let refusals = [
            Manifest::parse(document).map(drop),
            Envelope::parse(document).map(drop),
            SignedRoot::parse(document).map(drop),
        ];
        for refusal in refusals {
            says(&refusal.unwrap_err().to_string(), name, "line 1");
        }
    }
}
