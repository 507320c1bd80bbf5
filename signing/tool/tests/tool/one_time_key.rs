//! `ampoule-sign sign --one-time-key`: a signature by a key that nobody ever holds.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ampoule_signing::PublicKey;

use crate::fixture::{Fixture, PUBLISHER, snapshot, trust_public};

fn sign(fixture: &Fixture, public_key: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ampoule-sign"))
        .env_remove("AMPOULE_SIGN_PASSWORD")
        .arg("sign")
        .arg(fixture.path())
        .arg("--one-time-key")
        .arg(public_key)
        .output()
        .unwrap()
}

#[test]
fn a_one_time_key_signs_and_leaves_only_its_public_half() {
    let fixture = Fixture::unsigned();
    let path = fixture.beside("publisher.pub.pem");
    let output = sign(&fixture, &path);
    assert!(output.status.success(), "{output:?}");
    let key = PublicKey::read_file(&path).unwrap();
    let verified = fixture.verify_with(&trust_public(&key, PUBLISHER)).unwrap();
    assert_eq!(verified.signers(), [key.key_id()]);
    for (path, (_, _, _, content)) in snapshot(fixture.beside("").as_path()) {
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains("PRIVATE KEY"), "{}", path.display());
    }
}

#[test]
fn the_old_envelope_stays_when_the_one_time_key_cannot_be_written() {
    let fixture = Fixture::signed();
    let existing = fixture.beside("publisher.pub.pem");
    fs::write(&existing, "something else").unwrap();
    let before = snapshot(&fixture.beside(""));
    for path in [fixture.beside("nowhere/publisher.pub.pem"), existing] {
        let output = sign(&fixture, &path);
        assert_eq!(output.status.code(), Some(8), "{output:?}");
        assert_eq!(snapshot(&fixture.beside("")), before, "{}", path.display());
    }
    fixture.verify().unwrap();
}

#[test]
fn no_public_key_stays_when_nothing_was_signed_by_it() {
    let fixture = Fixture::signed();
    fs::write(fixture.file("config.json"), "{}").unwrap();
    let before = snapshot(&fixture.path());
    let path = fixture.beside("publisher.pub.pem");
    let output = sign(&fixture, &path);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(snapshot(&fixture.path()), before);
    assert!(!path.exists());
}

#[test]
fn a_one_time_key_goes_with_no_other_key() {
    let both = Command::new(env!("CARGO_BIN_EXE_ampoule-sign"))
        .args(["sign", ".", "--key", "a", "--one-time-key", "b"])
        .output()
        .unwrap();
    assert_eq!(both.status.code(), Some(2));
}
