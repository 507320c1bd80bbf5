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
    let cosign = [
        "cosign",
        "bundle",
        "--key",
        "bob.key",
        "--expect",
        "acme/minilm",
    ];
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
    fixture.write_public_key();
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

#[test]
fn a_bundle_is_cosigned_only_when_it_is_the_one_that_was_meant() {
    let dir = workplace();
    let dir = dir.path();
    for key in ["ann.key", "bob.key"] {
        answer(dir, &["keygen", key, "--no-encryption"]);
    }
    answer(dir, &INIT);
    answer(dir, &["sign", "bundle", "--key", "ann.key"]);
    let meant = json(dir, &["inspect", "bundle"])["manifest_digest"]
        .as_str()
        .unwrap()
        .to_owned();
    // Somebody changes the bundle between the look at it and the signature.
    std::fs::write(dir.join("bundle/config.json"), "{}").unwrap();
    std::fs::remove_file(dir.join("bundle/manifest.json")).unwrap();
    answer(dir, &INIT);
    answer(dir, &["sign", "bundle", "--key", "ann.key"]);
    let cosign = |expect: &str| {
        let words = ["cosign", "bundle", "--key", "bob.key", "--expect", expect];
        words.map(str::to_owned)
    };
    let refuse = |expect: &str| {
        let words = cosign(expect);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_refused(dir, &words, "trust.identity", 3);
    };
    refuse(&format!("acme/minilm@sha256:{meant}"));
    refuse("acme/other");
    refuse("acme/minilm@1.1");
    // And where nobody can be asked, nothing is signed unseen.
    let unseen = ["cosign", "bundle", "--key", "bob.key"];
    assert_refused(dir, &unseen, "usage.arguments", 2);
}

#[test]
fn signing_again_loses_nobodys_signature() {
    let dir = workplace();
    let dir = dir.path();
    for key in ["ann.key", "bob.key"] {
        answer(dir, &["keygen", key, "--no-encryption"]);
    }
    answer(dir, &INIT);
    let sign = ["sign", "bundle", "--key", "ann.key"];
    answer(dir, &sign);
    answer(dir, &sign);
    let cosign = ["cosign", "bundle", "--key", "bob.key", "--expect"];
    answer(dir, &[&cosign[..], &["acme/minilm"]].concat());
    assert_refused(dir, &sign, "usage.others-signed", 2);
    // Both of them may, and so may Ann another manifest.
    answer(dir, &[&sign[..], &["--key", "bob.key"]].concat());
    std::fs::remove_file(dir.join("bundle/manifest.json")).unwrap();
    let init = INIT.map(|word| if word == "1.0.0" { "1.0.1" } else { word });
    answer(dir, &init);
    answer(dir, &sign);
}
