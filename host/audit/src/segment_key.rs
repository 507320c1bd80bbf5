//! The key of a segment. Each segment has a new one, named by the last frame of the segment before; the old private half
//! is gone then. A thief of the newest key cannot write older segments again.

use std::fmt;

use ampoule_units::{ParseError, hex};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::chain::FrameHash;
use crate::error::{Error, Result};

/// Bytes of the file of a public key that are read, which are more than it may have.
pub const MAX_AUDIT_KEY_BYTES: u64 = 4096;

/// Public key of a segment (Ed25519, RFC 8032). Text form: 64 hexadecimal digits; in the file `audit.pub`: SPKI PEM
/// (RFC 8410), as OpenSSL reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuditKey(VerifyingKey);

impl AuditKey {
    /// Reads SPKI PEM, the content of `audit.pub`.
    ///
    /// # Errors
    ///
    /// Says that the text is none, or that the key is weak: anybody could sign for it.
    pub fn from_pem(text: &str) -> Result<Self, ParseError> {
        let refused = || {
            ParseError(
                "expected a public key of Ed25519 in PEM, as the file audit.pub of a log holds it"
                    .to_owned(),
            )
        };
        let key = VerifyingKey::from_public_key_pem(text).map_err(|_| refused())?;
        if key.is_weak() {
            return Err(refused());
        }
        Ok(Self(key))
    }

    /// Writes SPKI PEM.
    pub(crate) fn to_pem(self) -> Result<String> {
        self.0
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| Error::Internal("a public key"))
    }

    /// Tells whether `signature` is over a frame's hash by this key. dalek's `verify_strict` decides.
    pub(crate) fn verifies(&self, hash: FrameHash, signature: &[u8; 64]) -> bool {
        self.0
            .verify_strict(&hash.checkpoint(), &Signature::from_bytes(signature))
            .is_ok()
    }
}

impl fmt::Display for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(self.0.as_bytes(), f)
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey({self})")
    }
}

impl std::str::FromStr for AuditKey {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        hex::read(text)
            .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
            .filter(|key| !key.is_weak())
            .map(Self)
            .ok_or_else(|| {
                ParseError("expected a key of Ed25519, 64 digits from 0-9 and a-f".to_owned())
            })
    }
}

impl serde::Serialize for AuditKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for AuditKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Private key of the segment that is written. It is wiped from memory when dropped.
pub(crate) struct SegmentKey(SigningKey);

impl SegmentKey {
    /// Makes a new one from the system's random numbers.
    pub(crate) fn generate() -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|_| Error::Random)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads the text of its file: 64 hexadecimal digits and a line end.
    pub(crate) fn from_file(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let mut seed = Zeroizing::new([0; 32]);
        hex::read_into(text.as_bytes(), &mut seed)?;
        Some(Self(SigningKey::from_bytes(&seed)))
    }

    /// Writes the text of its file.
    pub(crate) fn to_file(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(self.0.to_bytes());
        // Enough from the start: a text that grows leaves copies of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(65));
        // Writing to a text cannot fail.
        let _ = hex::write(&*seed, &mut *text);
        text.push('\n');
        text
    }

    pub(crate) fn public(&self) -> AuditKey {
        AuditKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, hash: FrameHash) -> [u8; 64] {
        self.0.sign(&hash.checkpoint()).to_bytes()
    }
}

impl fmt::Debug for SegmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentKey({}, …)", self.public())
    }
}
