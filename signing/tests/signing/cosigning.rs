//! Adding a signature to a bundle: what is signed, by whom, and several people at once.

use std::fs;

use ampoule_signing::{Envelope, Error, Sha256Digest, cosign_directory, review_and_cosign};

use crate::fixture::{Fixture, snapshot};
use crate::threshold::{keys, signed_by, trust};

#[test]
fn cosigning_adds_a_signature_and_changes_nothing_else() {
    let keys = keys::<2>();
    let trust = trust(2, &keys);
    let fixture = signed_by(&[&keys[0]]);
    assert_eq!(fixture.refusal_with(&trust), "trust.threshold");
    let before = Envelope::parse(&fixture.envelope_bytes()).unwrap();
    let (manifest, envelope) = cosign_directory(&fixture.path(), &[&keys[1]]).unwrap();
    assert_eq!(manifest.name(), "minilm");
    assert_eq!(envelope.payload(), before.payload());
    assert_eq!(envelope.signatures()[..1], *before.signatures());
    assert_eq!(
        Envelope::parse(&fixture.envelope_bytes()).unwrap(),
        envelope
    );
    assert_eq!(fixture.verify_with(&trust).unwrap().signers().len(), 2);
}

#[test]
fn nobody_cosigns_twice_or_what_is_not_in_order() {
    let keys = keys::<2>();
    let fixture = signed_by(&[&keys[0]]);
    let refusal = |fixture: &Fixture| {
        let before = snapshot(&fixture.path());
        let error = cosign_directory(&fixture.path(), &[&keys[1], &keys[1]])
            .map(|_| ())
            .unwrap_err();
        assert_eq!(
            snapshot(&fixture.path()),
            before,
            "a refusal changes nothing"
        );
        error.code()
    };
    assert_eq!(refusal(&fixture), "usage.signed");
    let again = cosign_directory(&fixture.path(), &[&keys[0]]).unwrap_err();
    assert_eq!(again.code(), "usage.signed");
    assert!(cosign_directory(&fixture.path(), &[]).is_err());
    // A file that does not fit, a payload that is no manifest, no envelope at all.
    std::fs::write(fixture.file("config.json"), b"{\"hidden_size\":385}").unwrap();
    assert_eq!(refusal(&fixture), "file.digest");
    fixture.sign_payload(b"no manifest");
    assert_eq!(refusal(&fixture), "manifest.malformed");
    assert_eq!(refusal(&Fixture::unsigned()), "envelope.missing");
}

#[test]
fn there_is_an_end_to_cosigning() {
    let first = keys::<{ ampoule_signing::MAX_SIGNATURES }>();
    let fixture = signed_by(&first.iter().collect::<Vec<_>>());
    let error = cosign_directory(&fixture.path(), &[&keys::<1>()[0]]).unwrap_err();
    assert_eq!(error.code(), "envelope.malformed");
}

#[test]
fn cosigners_of_a_bundle_at_once_lose_no_signature() {
    let keys = keys::<8>();
    let fixture = signed_by(&[&keys[0]]);
    std::thread::scope(|scope| {
        for key in &keys[1..] {
            let dir = fixture.path();
            scope.spawn(move || cosign_directory(&dir, &[key]).unwrap());
        }
    });
    let envelope = Envelope::parse(&fixture.envelope_bytes()).unwrap();
    assert_eq!(envelope.signatures().len(), keys.len());
}

#[test]
fn what_was_reviewed_is_what_is_signed() {
    let keys = keys::<3>();
    let fixture = signed_by(&[&keys[0]]);
    let payload = Envelope::parse(&fixture.envelope_bytes()).unwrap();
    // Somebody else's signature during the review is kept.
    let (_, envelope) = review_and_cosign(&fixture.path(), &[&keys[1]], |manifest, digest| {
        assert_eq!(manifest.name(), "minilm");
        assert_eq!(digest, Sha256Digest::of(payload.payload()));
        cosign_directory(&fixture.path(), &[&keys[2]]).map(drop)
    })
    .unwrap();
    assert_eq!(envelope.signatures().len(), 3);
    // Another manifest is not signed in place of the one that was shown, nor anything after a no.
    let fixture = signed_by(&[&keys[0]]);
    let changed = review_and_cosign(&fixture.path(), &[&keys[1]], |_, _| {
        let mut manifest = fixture.manifest_json();
        manifest["release"] = 2.into();
        let other = Envelope::sign(manifest.to_string().into_bytes(), &[&keys[0]])?;
        fs::write(
            fixture.file(ampoule_signing::ENVELOPE_FILE),
            other.to_bytes()?,
        )
        .unwrap();
        Ok(())
    });
    assert!(matches!(changed, Err(Error::UsageChanged { .. })));
    let before = snapshot(&fixture.path());
    let declined = review_and_cosign(&fixture.path(), &[&keys[1]], |_, _| {
        Err(Error::UsageDeclined)
    });
    assert_eq!(declined.unwrap_err().code(), "usage.declined");
    assert_eq!(snapshot(&fixture.path()), before);
}
