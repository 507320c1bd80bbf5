//! Keys: their names, their files and who may read them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use ampoule_signing::{Error, KeyId, PublicKey, SecretKey, Sha256Digest};
use zeroize::Zeroizing;

const PASSWORD: &str = "correct horse battery staple";

/// The key of RFC 8410, section 10.
const RFC_8410_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const RFC_8410_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";

fn no_password() -> Result<Zeroizing<String>, Error> {
    panic!("nobody must be asked for a password")
}

#[test]
fn a_key_round_trips_through_all_of_its_forms() {
    let key = SecretKey::generate().unwrap();
    let public = key.public_key();
    let plain = SecretKey::from_pem(&key.to_plain_pem().unwrap(), None).unwrap();
    assert_eq!(plain.public_key(), public);
    let pem = key.to_encrypted_pem(PASSWORD).unwrap();
    assert!(SecretKey::is_encrypted_pem(&pem));
    let encrypted = SecretKey::from_pem(&pem, Some(PASSWORD)).unwrap();
    assert_eq!(encrypted.public_key(), public);
    assert_eq!(
        &PublicKey::from_pem(&public.to_pem().unwrap()).unwrap(),
        public
    );
}

#[test]
fn keys_are_those_of_rfc_8410() {
    let key = SecretKey::from_pem(RFC_8410_PRIVATE, None).unwrap();
    assert_eq!(key.public_key().to_pem().unwrap(), RFC_8410_PUBLIC);
    assert_eq!(*key.to_plain_pem().unwrap(), RFC_8410_PRIVATE);
}

#[test]
fn a_key_id_is_the_digest_of_the_spki_der() {
    let public = PublicKey::from_pem(RFC_8410_PUBLIC).unwrap();
    let der = pkcs8::Document::from_pem(RFC_8410_PUBLIC).unwrap().1;
    let digest = Sha256Digest::of(der.as_bytes()).to_string();
    assert_eq!(public.key_id().to_string(), digest);
    assert_eq!(digest.parse::<KeyId>().unwrap(), public.key_id());
}

#[test]
fn two_generated_keys_differ_and_so_do_two_encryptions_of_one() {
    let (one, two) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    assert_ne!(one.public_key(), two.public_key());
    assert_ne!(
        *one.to_encrypted_pem("x").unwrap(),
        *one.to_encrypted_pem("x").unwrap()
    );
}

#[test]
fn a_wrong_a_missing_and_an_empty_password_are_refused() {
    let key = SecretKey::generate().unwrap();
    let pem = key.to_encrypted_pem(PASSWORD).unwrap();
    // Often enough to meet the one wrong password in 256 that leaves valid padding.
    for attempt in 0..16 {
        let wrong = format!("wrong {attempt}");
        assert_eq!(
            SecretKey::from_pem(&pem, Some(&wrong)).unwrap_err().code(),
            "usage.password"
        );
    }
    assert_eq!(
        SecretKey::from_pem(&pem, None).unwrap_err().code(),
        "usage.password"
    );
    assert_eq!(
        key.to_encrypted_pem("").unwrap_err().code(),
        "usage.password"
    );
}

#[test]
fn what_is_no_private_key_is_refused_and_not_repeated() {
    let truncated = RFC_8410_PRIVATE.replace("EdVhC\n", "\n");
    let rsa_label = RFC_8410_PRIVATE.replace("PRIVATE KEY", "RSA PRIVATE KEY");
    // X25519 (1.3.101.110) in place of Ed25519 (1.3.101.112).
    let x25519 = RFC_8410_PRIVATE.replace("BQYDK2VwBCIE", "BQYDK2VuBCIE");
    let long = "x".repeat(20_000);
    let texts = [
        "",
        "not a key",
        RFC_8410_PUBLIC,
        &truncated,
        &rsa_label,
        &x25519,
        &long,
    ];
    for text in texts {
        let error = SecretKey::from_pem(text, Some("x")).unwrap_err();
        assert_eq!(error.code(), "usage.private-key", "{text}");
        assert!(!error.to_string().contains("MC4CAQAw"), "{error}");
    }
}

#[test]
fn what_is_no_public_key_is_refused() {
    let x25519 = RFC_8410_PUBLIC.replace("BQYDK2VwAyEA", "BQYDK2VuAyEA");
    let truncated = RFC_8410_PUBLIC.replace("4rXAxZuE=", "4rXA=");
    for text in [
        "",
        "not a key",
        RFC_8410_PRIVATE,
        &x25519,
        &truncated,
        &"x".repeat(20_000),
    ] {
        let error = PublicKey::from_pem(text).unwrap_err();
        assert_eq!(error.code(), "trust.malformed-key", "{text}");
        assert!(!error.to_string().contains("MC4CAQAw"), "{error}");
    }
}

/// An encrypted key's DER with scrypt's parameters replaced: N is an INTEGER of two bytes there.
fn with_scrypt_cost(pem: &str, change: impl FnOnce(&mut [u8])) -> String {
    let (label, document) = pkcs8::Document::from_pem(pem).unwrap();
    assert_eq!(label, "ENCRYPTED PRIVATE KEY");
    let mut der = document.as_bytes().to_vec();
    // INTEGER 16384, INTEGER 8, INTEGER 1.
    let cost = [2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1];
    let start = der
        .windows(cost.len())
        .position(|window| window == cost)
        .unwrap();
    change(&mut der[start..start + cost.len()]);
    let changed = pkcs8::Document::try_from(der).unwrap();
    changed
        .to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF)
        .unwrap()
}

#[test]
fn our_keys_cost_what_openssl_accepts() {
    let pem = SecretKey::generate()
        .unwrap()
        .to_encrypted_pem(PASSWORD)
        .unwrap();
    // It finds N = 2^14, r = 8, p = 1, or panics.
    with_scrypt_cost(&pem, |_| ());
}

#[test]
fn a_key_file_that_asks_for_endless_work_or_memory_is_refused() {
    let pem = SecretKey::generate()
        .unwrap()
        .to_encrypted_pem(PASSWORD)
        .unwrap();
    // N = 0, which makes a careless reader panic; N = 2^14 + 1, which is no power of two; p = 127.
    for (place, value) in [(2, 0), (3, 1), (9, 127)] {
        let hostile = with_scrypt_cost(&pem, |cost| cost[place] = value);
        assert_ne!(hostile, *pem);
        let error = SecretKey::from_pem(&hostile, Some(PASSWORD)).unwrap_err();
        assert_eq!(error.code(), "usage.private-key", "byte {place} = {value}");
    }
}

#[test]
fn a_private_key_file_is_private_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("acme.key");
    let key = SecretKey::generate().unwrap();
    key.write_file(&path, Some(PASSWORD)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let before = fs::read(&path).unwrap();
    let error = SecretKey::generate()
        .unwrap()
        .write_file(&path, None)
        .unwrap_err();
    assert_eq!(error.code(), "io.exists");
    assert_eq!(fs::read(&path).unwrap(), before);
    let read = SecretKey::read_file(&path, || Ok(Zeroizing::new(PASSWORD.to_owned()))).unwrap();
    assert_eq!(read.public_key(), key.public_key());
}

#[test]
fn a_private_key_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("acme.key");
    SecretKey::generate()
        .unwrap()
        .write_file(&path, None)
        .unwrap();
    SecretKey::read_file(&path, no_password).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o644, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = SecretKey::read_file(&path, no_password).unwrap_err();
        assert_eq!(error.code(), "trust.permissions", "{mode:o}");
        assert!(error.to_string().contains("chmod go-rwx"), "{error}");
    }
}

#[test]
fn nobody_is_asked_for_the_password_of_what_is_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("acme.key");
    let pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(&path, pem).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let error = SecretKey::read_file(&path, no_password).unwrap_err();
    assert_eq!(error.code(), "usage.private-key");
}

#[test]
fn debug_output_holds_no_key() {
    let key = SecretKey::from_pem(RFC_8410_PRIVATE, None).unwrap();
    let text = format!("{key:?}");
    assert!(
        text.contains(&key.public_key().key_id().to_string()),
        "{text}"
    );
    // The seed starts with the byte d4, 212 in decimal.
    assert!(
        !text.to_lowercase().contains("d4ee72db") && !text.contains("212, 238"),
        "{text}"
    );
}
