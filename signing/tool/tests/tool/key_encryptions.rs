//! Passwords of private keys: every encryption that is of today is opened, and one of yesterday is called by its
//! name instead of being blamed on the password.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ampoule_signing::{PublicKey, SecretKey};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::command_line::{PASSWORD, answer, assert_refused, command};
use crate::file_access::write_private;
use crate::openssl_program::openssl_succeeds;

/// A key that OpenSSL made, in `plain`.
fn workplace() -> (TempDir, PublicKey) {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "genpkey -algorithm ed25519 -out plain");
    let public = openssl_succeeds(dir.path(), &["pkey", "-in", "plain", "-pubout"]);
    let public = PublicKey::from_pem(&String::from_utf8(public).unwrap()).unwrap();
    (dir, public)
}

fn run(dir: &Path, arguments: &str) {
    openssl_succeeds(dir, &arguments.split(' ').collect::<Vec<_>>());
}

/// Encrypts `plain` into `locked`, under the password `pw`.
fn lock(dir: &Path, options: &str) {
    run(
        dir,
        &format!("pkcs8 -topk8 -in plain -out locked -passout pass:pw {options}"),
    );
}

fn read(dir: &Path, name: &str, password: &str) -> ampoule_signing::Result<SecretKey> {
    let path = dir.join(name);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    SecretKey::read_file(&path, || Ok(Zeroizing::new(password.to_owned())))
}

#[test]
fn every_encryption_with_aes_that_openssl_writes_is_opened() {
    let (dir, public) = workplace();
    let dir = dir.path();
    for options in [
        "-v2 aes-256-cbc -v2prf hmacWithSHA1",
        "-v2 aes-256-cbc -v2prf hmacWithSHA224",
        "-v2 aes-256-cbc -v2prf hmacWithSHA256",
        "-v2 aes-256-cbc -v2prf hmacWithSHA384",
        "-v2 aes-256-cbc -v2prf hmacWithSHA512",
        "-v2 aes-128-cbc",
        "-v2 aes-192-cbc -v2prf hmacWithSHA1",
        "-iter 1",
        "-scrypt",
        "-scrypt -scrypt_N 1024 -scrypt_r 8 -scrypt_p 16",
        "-scrypt -v2 aes-128-cbc",
    ] {
        lock(dir, options);
        let key = read(dir, "locked", "pw").unwrap_or_else(|error| panic!("{options}: {error}"));
        assert_eq!(key.public_key(), &public, "{options}");
        let error = read(dir, "locked", "another").unwrap_err();
        assert_eq!(error.code(), "usage.password", "{options}");
    }
}

#[test]
fn an_encryption_of_yesterday_is_named_and_the_advice_makes_a_key_of_it() {
    let (dir, public) = workplace();
    let dir = dir.path();
    for (options, name) in [
        ("-v2 des3", "3DES"),
        ("-v2 camellia-256-cbc", "Camellia"),
        ("-v2 aria-256-cbc", "ARIA"),
        ("-v2 aes-256-cfb", "AES in another mode"),
        ("-v1 PBE-SHA1-3DES", "PKCS#12 with 3DES"),
        (
            "-v2 aes-256-cbc -v2prf hmacWithSHA512-256",
            "HMAC-SHA-512/256",
        ),
    ] {
        lock(dir, options);
        let error = read(dir, "locked", "pw").unwrap_err();
        assert_eq!(error.code(), "usage.private-key", "{options}");
        let message = error.to_string();
        assert!(message.contains(name), "{options}: {message}");
        // What it says is done, with the names of the files and the passwords put in.
        let (_, advice) = message.split_once("`openssl ").unwrap();
        let (advice, _) = advice.split_once('`').unwrap();
        let advice = advice.replace("OLD", "locked").replace("NEW", "anew");
        run(dir, &format!("{advice} -passin pass:pw -passout pass:pw"));
        assert_eq!(
            read(dir, "anew", "pw").unwrap().public_key(),
            &public,
            "{options}"
        );
    }
}

#[test]
fn the_encryption_of_old_pem_files_is_named() {
    let (dir, _) = workplace();
    let path = dir.path().join("old");
    // No key: the header is enough.
    let old = "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nAAAA\n\
               -----END PRIVATE KEY-----\n";
    fs::write(&path, old).unwrap();
    let error = read(dir.path(), "old", "pw").unwrap_err();
    assert_eq!(error.code(), "usage.private-key");
    assert!(error.to_string().contains("Proc-Type"), "{error}");
}

#[test]
fn a_password_is_one_line_whatever_wrote_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let file = dir.join("password");
    let with_file = ["pubkey", "acme.key", "--password-file", "password"];
    answer(dir, &["keygen", "acme.key"]);
    let public = answer(dir, &["pubkey", "acme.key"]);
    for around in ["X", "X\n", "X\n\n", "X\r\n", "X\r\n\r\n", "\u{feff}X\n"] {
        let text = around.replace('X', PASSWORD);
        write_private(&file, text.as_bytes());
        assert_eq!(answer(dir, &with_file), public, "{around:?}");
        let output = command(dir, &["pubkey", "acme.key"])
            .env("AMPOULE_SIGN_PASSWORD", &text)
            .output()
            .unwrap();
        assert_eq!(output.stdout, public.as_bytes(), "{around:?}");
    }
    // Blanks may be meant, and of two lines nobody knows which one is.
    for other in ["X ", " X", "X\nY\n", "\nX\n"] {
        write_private(&file, other.replace('X', PASSWORD).as_bytes());
        assert_refused(dir, &with_file, "usage.password", 2);
    }
}
