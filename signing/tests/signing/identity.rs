//! The caller asked for one model, and gets that one or none.

use ampoule_signing::{Bundle, ModelReference, Result, Sha256Digest, Timestamp, VerifiedBundle};
use serde_json::json;

use crate::fixture::{FILES, Fixture, trust};

fn verify(fixture: &Fixture, expected: &str) -> Result<VerifiedBundle> {
    let expected: ModelReference = expected.parse().unwrap();
    Bundle::open(&fixture.path())?
        .with_expected(expected)
        .verify(&fixture.trust(), Timestamp::now())
}

#[test]
fn a_bundle_that_is_what_was_asked_for_is_verified() {
    let fixture = Fixture::signed();
    let digest = fixture.verify().unwrap().manifest_digest();
    for expected in [
        "acme/minilm".to_owned(),
        "acme/minilm@1".to_owned(),
        "acme/minilm@1.0".to_owned(),
        "acme/minilm@1.0.0".to_owned(),
        format!("sha256:{digest}"),
        format!("acme/minilm@sha256:{digest}"),
    ] {
        verify(&fixture, &expected).unwrap();
    }
}

#[test]
fn a_rightly_signed_bundle_of_another_model_is_refused() {
    let fixture = Fixture::signed();
    let digest = fixture.verify().unwrap().manifest_digest();
    let other = Sha256Digest::of(b"another manifest");
    for expected in [
        "acme/other".to_owned(),
        "other/minilm".to_owned(),
        "acme/minilm@2".to_owned(),
        "acme/minilm@1.1".to_owned(),
        "acme/minilm@1.0.1".to_owned(),
        "acme/minilm@1.0.0-rc.1".to_owned(),
        format!("sha256:{other}"),
        format!("acme/minilm@sha256:{other}"),
        format!("acme/other@sha256:{digest}"),
    ] {
        let error = verify(&fixture, &expected).unwrap_err();
        assert_eq!(error.code(), "trust.identity");
        let text = error.to_string();
        assert!(
            text.contains(&expected) && text.contains("acme/minilm@"),
            "{text}"
        );
    }
}

#[test]
fn another_release_under_the_same_digest_does_not_exist() {
    let fixture = Fixture::signed();
    let digest = fixture.verify().unwrap().manifest_digest();
    fixture.sign_changed(|manifest| manifest["release"] = json!(2));
    let error = verify(&fixture, &format!("sha256:{digest}")).unwrap_err();
    assert_eq!(error.code(), "trust.identity");
}

#[test]
fn to_ask_for_a_model_trusts_nobody() {
    // Who is not trusted stays so, whatever they call their model.
    let fixture = Fixture::signed();
    let stranger = ampoule_signing::SecretKey::generate().unwrap();
    let digest = fixture.verify().unwrap().manifest_digest();
    let bundle = Bundle::from_memory(&fixture.envelope_bytes(), FILES).unwrap();
    let error = bundle
        .with_expected(format!("acme/minilm@sha256:{digest}").parse().unwrap())
        .verify(&trust(&stranger, "acme"), Timestamp::now())
        .unwrap_err();
    assert_eq!(error.code(), "trust.unknown-key");
}
