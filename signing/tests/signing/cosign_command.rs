//! `ampoule-sign cosign`, and `verify` by somebody who wants one model only.

use crate::command_line::{INIT, answer, assert_refused, json, workplace};
use crate::fixture::Fixture;

#[test]
fn a_second_person_cosigns_and_sees_what_they_sign() {
    let dir = workplace();
    let dir = dir.path();
    for key in ["ann.key", "bob.key"] {
        answer(dir, &["keygen", key, "--no-encryption"]);
    }
    answer(dir, &INIT);
    let cosign = ["cosign", "bundle", "--key", "bob.key"];
    assert_refused(dir, &cosign, "envelope.missing", 3);
    answer(dir, &["sign", "bundle", "--key", "ann.key"]);
    let text = answer(dir, &cosign);
    for shown in [
        "minilm",
        "acme",
        "1.0.0 (release 1)",
        "config.json",
        "memory",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert_refused(dir, &cosign, "usage.signed", 2);
    for key in ["ann.pub", "bob.pub"] {
        answer(dir, &["verify", "bundle", "--public-key", key]);
    }
    let inspected = json(dir, &["inspect", "bundle"]);
    assert_eq!(inspected["signature_key_ids"].as_array().unwrap().len(), 2);
}

#[test]
fn verify_takes_only_the_model_that_is_expected() {
    let fixture = Fixture::signed();
    let dir = fixture.beside("");
    fixture
        .key
        .public_key()
        .write_file(&fixture.beside("acme.pub"))
        .unwrap();
    let verify = |model| {
        [
            "verify",
            "bundle",
            "--public-key",
            "acme.pub",
            "--expect",
            model,
        ]
    };
    answer(&dir, &verify("acme/minilm@1.0"));
    assert_refused(&dir, &verify("acme/minilm@1.1"), "trust.identity", 3);
    assert_refused(&dir, &verify("acme/other"), "trust.identity", 3);
    assert_refused(&dir, &verify("minilm"), "usage.arguments", 2);
}
