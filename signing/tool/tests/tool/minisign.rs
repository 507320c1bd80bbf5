//! Minisign, the real tool, verifies what we sign for it.
//!
//! A test fails where the tool is missing: a skipped test proves nothing.

use std::fs;
use std::process::{Command, Output};

use ampoule_signing::{
    ENVELOPE_FILE, MANIFEST_FILE, MINISIGN_FILE, SecretKey, cosign_directory, minisign_directory,
};

use crate::command_line::{INIT, answer, assert_refused, json};
use crate::fixture::Fixture;

/// Runs the tool on the envelope, with this public key's file.
fn minisign(fixture: &Fixture, public_key: &str) -> Output {
    Command::new("minisign")
        .current_dir(fixture.path())
        .args(["-V", "-m", ENVELOPE_FILE, "-p"])
        .arg(fixture.beside(public_key))
        .output()
        .expect("this test needs the `minisign` tool; install the package minisign")
}

#[test]
fn minisign_verifies_an_envelope_and_refuses_it_once_changed() {
    let fixture = Fixture::signed();
    let public_key = fixture.key.public_key().to_minisign();
    fs::write(fixture.beside("acme.minisign"), public_key).unwrap();
    minisign_directory(&fixture.path(), &fixture.key).unwrap();
    fixture
        .verify()
        .expect("the file beside the envelope is none of the bundle's");
    let said = minisign(&fixture, "acme.minisign");
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("acme/minilm@1.0.0 release 1"), "{said}");

    let stranger = SecretKey::generate().unwrap();
    fs::write(fixture.beside("other"), stranger.public_key().to_minisign()).unwrap();
    assert!(!minisign(&fixture, "other").status.success());
    // The comment that the tool shows is signed as well.
    let path = fixture.file(MINISIGN_FILE);
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("release 1", "release 2")).unwrap();
    assert!(!minisign(&fixture, "acme.minisign").status.success());
    fs::write(&path, good).unwrap();
    assert!(minisign(&fixture, "acme.minisign").status.success());
    cosign_directory(&fixture.path(), &[&stranger]).unwrap();
    assert!(!minisign(&fixture, "acme.minisign").status.success());
    minisign_directory(&fixture.path(), &fixture.key).unwrap();
    assert!(minisign(&fixture, "acme.minisign").status.success());
}

#[test]
fn the_commands_for_minisign_do_the_same() {
    let fixture = Fixture::signed();
    let dir = fixture.beside("");
    fixture.write_public_key();
    fixture.key.write_file(&dir.join("acme.key"), None).unwrap();
    SecretKey::generate()
        .unwrap()
        .write_file(&dir.join("other.key"), None)
        .unwrap();
    let public_key = answer(&dir, &["minisign", "pubkey", "acme.pub"]);
    fs::write(dir.join("acme.minisign"), public_key).unwrap();
    let signed = json(&dir, &["minisign", "sign", "bundle", "--key", "acme.key"]);
    assert_eq!(signed["file"], MINISIGN_FILE);
    assert!(minisign(&fixture, "acme.minisign").status.success());
    // The signature is about the bundle, so the next manifest does not list it as one of its files.
    fs::remove_file(fixture.file(MANIFEST_FILE)).unwrap();
    answer(&dir, &INIT);
    let files = fixture.manifest_json()["files"].to_string();
    assert!(
        files.contains("config.json") && !files.contains("minisig"),
        "{files}"
    );
    let other = ["minisign", "sign", "bundle", "--key", "other.key"];
    assert_refused(&dir, &other, "usage.arguments", 2);
}
