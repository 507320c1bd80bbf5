//! Any bytes, as a PEM file and as what is in its block: a public key has one encoding and one name,
//! whatever stands around it, or is refused.

use ampoule_signing::{MAX_KEY_FILE_BYTES, PublicKey};

use super::{assert_refused, pem};

pub(super) fn check(bytes: &[u8]) {
    let block = pem::block("PUBLIC KEY", bytes);
    if let Some(key) = read(&block) {
        assert_eq!(key.to_pem().unwrap(), block, "no other bytes are this key");
        assert!(!key.verify(bytes, &[0; 64]));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let key = read(text);
        let around = around(text);
        if key.is_some() && around.len() as u64 <= MAX_KEY_FILE_BYTES {
            assert_eq!(read(&around), key);
        }
    }
}

/// Puts a remark and blank lines around a key, as other programs leave its file.
fn around(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').trim();
    format!("a remark\r\n{text}\r\n \n")
}

fn read(pem: &str) -> Option<PublicKey> {
    match PublicKey::from_pem(pem) {
        Ok(key) => {
            let again = PublicKey::from_pem(&key.to_pem().unwrap()).unwrap();
            assert_eq!((&again, again.key_id()), (&key, key.key_id()));
            Some(key)
        }
        Err(error) => {
            assert_refused(&error, &["trust.malformed-key", "trust.weak-key"]);
            None
        }
    }
}
