//! OpenSSL, the real tool, reads our keys, we read its keys, and it verifies our signatures.
//!
//! A test fails where the tool is missing: a skipped test proves nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ampoule_signing::{Envelope, PublicKey, SecretKey, Sha256Digest};
use zeroize::Zeroizing;

use crate::fixture::Fixture;
use crate::openssl_program::{PASSWORD, openssl, openssl_succeeds};

#[test]
fn openssl_reads_our_private_keys_and_derives_the_same_public_key() {
    let dir = tempfile::tempdir().unwrap();
    let key = SecretKey::generate().unwrap();
    let public = key.public_key().to_pem().unwrap();
    key.write_file(&dir.path().join("plain.key"), None).unwrap();
    key.write_file(&dir.path().join("encrypted.key"), Some(PASSWORD))
        .unwrap();
    let plain = openssl_succeeds(dir.path(), &["pkey", "-in", "plain.key", "-pubout"]);
    assert_eq!(String::from_utf8(plain).unwrap(), public);
    let with_password = ["-passin", "env:AMPOULE_TEST_PASSWORD"];
    let arguments = [
        &["pkey", "-in", "encrypted.key", "-pubout"][..],
        &with_password,
    ]
    .concat();
    let encrypted = openssl_succeeds(dir.path(), &arguments);
    assert_eq!(String::from_utf8(encrypted).unwrap(), public);
    let wrong = openssl(
        dir.path(),
        &[
            "pkey",
            "-in",
            "encrypted.key",
            "-pubout",
            "-passin",
            "pass:x",
        ],
    );
    assert!(!wrong.status.success(), "the encrypted key is encrypted");
}

#[test]
fn openssl_reads_our_public_keys() {
    let dir = tempfile::tempdir().unwrap();
    let key = SecretKey::generate().unwrap();
    key.public_key()
        .write_file(&dir.path().join("acme.pub"))
        .unwrap();
    let arguments = ["pkey", "-pubin", "-in", "acme.pub", "-outform", "DER"];
    let der = openssl_succeeds(dir.path(), &arguments);
    assert_eq!(
        Sha256Digest::of(&der).to_string(),
        key.public_key().key_id().to_string()
    );
}

#[test]
fn openssl_verifies_our_signature_over_the_pre_authentication_encoding() {
    let fixture = Fixture::signed();
    let envelope = Envelope::parse(&fixture.envelope_bytes()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    fixture
        .key
        .public_key()
        .write_file(&dir.path().join("acme.pub"))
        .unwrap();
    fs::write(dir.path().join("message"), envelope.pae()).unwrap();
    fs::write(
        dir.path().join("signature"),
        envelope.signatures()[0].signature(),
    )
    .unwrap();
    let arguments = [
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        "acme.pub",
        "-in",
        "message",
        "-sigfile",
        "signature",
    ];
    openssl_succeeds(dir.path(), &arguments);
    // The same tool refuses the signature over the bare payload: it really looks.
    fs::write(dir.path().join("message"), envelope.payload()).unwrap();
    assert!(!openssl(dir.path(), &arguments).status.success());
}

#[test]
fn we_read_keys_that_openssl_made() {
    let dir = tempfile::tempdir().unwrap();
    openssl_succeeds(
        dir.path(),
        &["genpkey", "-algorithm", "ed25519", "-out", "plain.key"],
    );
    let public = openssl_succeeds(dir.path(), &["pkey", "-in", "plain.key", "-pubout"]);
    let public = PublicKey::from_pem(&String::from_utf8(public).unwrap()).unwrap();
    let read = |name: &str| {
        let path = dir.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        SecretKey::read_file(&path, || Ok(Zeroizing::new(PASSWORD.to_owned())))
    };
    assert_eq!(read("plain.key").unwrap().public_key(), &public);
    // Encrypted the way `openssl pkcs8` does by default (PBKDF2), and with scrypt.
    for more in [
        &[][..],
        &["-v2", "aes-256-cbc", "-iter", "100000"],
        &["-scrypt"],
    ] {
        let _ = fs::remove_file(dir.path().join("encrypted.key"));
        let arguments = [
            &[
                "pkcs8",
                "-topk8",
                "-in",
                "plain.key",
                "-out",
                "encrypted.key",
            ][..],
            &["-passout", "env:AMPOULE_TEST_PASSWORD"],
            more,
        ]
        .concat();
        openssl_succeeds(dir.path(), &arguments);
        assert_eq!(
            read("encrypted.key").unwrap().public_key(),
            &public,
            "{more:?}"
        );
    }
}

#[test]
fn other_kinds_of_openssl_keys_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for algorithm in [
        &["-algorithm", "ed448"][..],
        &["-algorithm", "x25519"],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ] {
        let arguments = [&["genpkey", "-out", "other.key"][..], algorithm].concat();
        openssl_succeeds(dir.path(), &arguments);
        let private = fs::read_to_string(dir.path().join("other.key")).unwrap();
        let code = SecretKey::from_pem(&private, None).unwrap_err().code();
        assert_eq!(code, "usage.private-key", "{algorithm:?}");
        let public = openssl_succeeds(dir.path(), &["pkey", "-in", "other.key", "-pubout"]);
        let public = String::from_utf8(public).unwrap();
        let code = PublicKey::from_pem(&public).unwrap_err().code();
        assert_eq!(code, "trust.malformed-key", "{algorithm:?}");
    }
}
