//! Keys and envelopes without the library, so that anything at all can be signed and written.

use ampoule_signing::{PublicKey, Sha256Digest, pae};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::weak_key::spki_pem;

/// The bytes before the 32 bytes of an Ed25519 key in SPKI DER (RFC 8410, section 4).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Somebody with a key.
pub(super) struct Signer(SigningKey);

/// One signature of an envelope, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) keyid: String,
    pub(super) sig: String,
}

impl Signer {
    /// Always the same key for a number.
    pub(super) fn new(number: u8) -> Self {
        Self(SigningKey::from_bytes(&[number; 32]))
    }

    pub(super) fn public_key(&self) -> PublicKey {
        PublicKey::from_pem(&self.public_pem()).unwrap()
    }

    pub(super) fn public_pem(&self) -> String {
        spki_pem(self.0.verifying_key().to_bytes())
    }

    pub(super) fn key_id(&self) -> String {
        key_id(&self.0.verifying_key().to_bytes())
    }

    pub(super) fn sign(&self, payload_type: &str, payload: &[u8]) -> Entry {
        let signature = self.0.sign(&pae(payload_type, payload)).to_bytes();
        Entry {
            keyid: self.key_id(),
            sig: BASE64.encode(signature),
        }
    }
}

impl Entry {
    pub(super) fn signature(&self) -> [u8; 64] {
        BASE64.decode(&self.sig).unwrap().try_into().unwrap()
    }

    /// Returns the entry with another signature.
    pub(super) fn with_signature(&self, signature: &[u8]) -> Self {
        Self {
            keyid: self.keyid.clone(),
            sig: BASE64.encode(signature),
        }
    }

    /// Returns the entry under another key's name.
    pub(super) fn with_key_id(&self, keyid: &str) -> Self {
        Self {
            keyid: keyid.to_owned(),
            sig: self.sig.clone(),
        }
    }
}

/// The name of the key with these 32 bytes.
pub(super) fn key_id(point: &[u8; 32]) -> String {
    Sha256Digest::of(&[&SPKI[..], point].concat()).to_string()
}

/// An envelope in its one spelling.
pub(super) fn envelope(payload_type: &str, payload: &[u8], entries: &[Entry]) -> Vec<u8> {
    let signatures: Vec<String> = entries
        .iter()
        .map(|entry| format!(r#"{{"keyid":"{}","sig":"{}"}}"#, entry.keyid, entry.sig))
        .collect();
    format!(
        r#"{{"payload":"{}","payloadType":"{payload_type}","signatures":[{}]}}"#,
        BASE64.encode(payload),
        signatures.join(",")
    )
    .into_bytes()
}
