//! Any bytes, as a PEM file and as what is in its block, of a key that is encrypted or not: what is read
//! signs, and is read again as it is written; or it is refused, without a try at a password.
//!
//! No password is given where one is asked for: a file may then take seconds, within its bounds.

use ampoule_signing::{Envelope, PublicKey, SecretKey};

use super::{assert_refused, pem};

pub(super) fn check(bytes: &[u8]) {
    for label in ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        read(&pem::block(label, bytes));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        read(text);
    }
}

fn read(pem: &str) {
    match SecretKey::from_pem(pem, None) {
        Ok(key) => {
            assert!(!SecretKey::is_encrypted_pem(pem));
            let public = key.public_key();
            let again = [
                SecretKey::from_pem(&key.to_plain_pem().unwrap(), None).unwrap(),
                SecretKey::from_pem(pem, Some("not asked for")).unwrap(),
            ];
            assert!(again.iter().all(|again| again.public_key() == public));
            let read = PublicKey::from_pem(&public.to_pem().unwrap()).unwrap();
            assert_eq!(read, *public, "it is no weak key");
            let signed = Envelope::sign(b"payload".to_vec(), &[&key]).unwrap();
            assert!(public.verify(&signed.pae(), signed.signatures()[0].signature()));
        }
        Err(error) => {
            assert_refused(&error, &["usage.private-key", "usage.password"]);
            if error.code() == "usage.password" {
                assert!(SecretKey::is_encrypted_pem(pem));
            }
        }
    }
}
