//! Keyed hashes of API keys, which are all that a file holds of a key's secret.
//!
//! A key has 256 random bits, so nothing is gained by a hash that is slow: there is no list of likely keys to try.
//! `docs/decisions/051-keys-by-keyed-hash.md` says more.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ampoule_signing::Error as SigningError;
use ampoule_units::{ParseError, hex};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key_text::KeyText;
use crate::text_form::text_form;

/// Sets hashes of keys apart from all else that is ever authenticated under a MAC key.
const KEY_DOMAIN: &[u8] = b"ampoule-api-key-v1\0";
/// Sets the id of a MAC key apart.
const ID_DOMAIN: &[u8] = b"ampoule-mac-key-id-v1\0";
/// Beginning of a hash's text, which names the function.
const PREFIX: &str = "hmac-sha256:";
/// Digits of a MAC key.
const MAC_KEY_DIGITS: usize = 64;

/// The key under which the secrets of API keys are hashed (HMAC-SHA-256, RFC 2104): 256 random bits of one key
/// directory. Text form, in its file: 64 hexadecimal digits and at most one line end. Clones share one copy of the bits,
/// which is wiped from memory with the last of them.
#[derive(Clone)]
pub struct MacKey(Arc<Zeroizing<[u8; 32]>>);

impl MacKey {
    /// Makes a new one of random bits.
    pub(crate) fn generate() -> Result<Self, SigningError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| SigningError::IoRandom)?;
        Ok(Self(Arc::new(bytes)))
    }

    /// Returns the text of its file.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAC_KEY_DIGITS + 1));
        // Writing to a text cannot fail.
        let _ = hex::write(&**self.0, &mut *text);
        text.push('\n');
        text
    }

    /// Returns its public id, which tells one MAC key from another.
    #[must_use]
    pub fn id(&self) -> MacKeyId {
        let code = self.begin().chain_update(ID_DOMAIN).finalize().into_bytes();
        let (id, _) = code
            .as_slice()
            .split_first_chunk()
            .unwrap_or((&[0; 8], &[]));
        MacKeyId(*id)
    }

    /// Returns the hash of a key's secret, bound to its name.
    pub(crate) fn hash(&self, key: &KeyText) -> KeyHash {
        KeyHash(self.code(key).finalize().into_bytes().into())
    }

    /// Tells whether a key has this hash, in a time that does not depend on how much of it is right.
    pub(crate) fn matches(&self, key: &KeyText, hash: &KeyHash) -> bool {
        self.code(key).verify_slice(&hash.0).is_ok()
    }

    fn code(&self, key: &KeyText) -> Hmac<Sha256> {
        self.begin()
            .chain_update(KEY_DOMAIN)
            .chain_update(key.name().as_bytes())
            .chain_update(key.secret())
    }

    fn begin(&self) -> Hmac<Sha256> {
        let mut block = Zeroizing::new([0; 64]);
        let (start, _) = block.split_at_mut(self.0.len());
        start.copy_from_slice(&**self.0);
        <Hmac<Sha256>>::new((&*block).into())
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacKey({}, …)", self.id())
    }
}

impl FromStr for MacKey {
    type Err = ParseError;

    /// Reads the text of a file, a variable or a credential. Other texts are refused without repeating them.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let digits = text.strip_suffix('\n').unwrap_or(text);
        let mut bytes = Zeroizing::new([0; 32]);
        hex::read_into(digits.as_bytes(), &mut bytes).ok_or_else(|| {
            ParseError(format!(
                "expected {MAC_KEY_DIGITS} digits from 0-9 and a-f and nothing else"
            ))
        })?;
        Ok(Self(Arc::new(bytes)))
    }
}

/// Public id of a MAC key. Text form: 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacKeyId([u8; 8]);

impl fmt::Display for MacKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for MacKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacKeyId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        hex::read(text).map(Self).ok_or_else(|| {
            ParseError(
                "expected the id of a MAC key, which is 16 digits from 0-9 and a-f".to_owned(),
            )
        })
    }
}

text_form!(MacKeyId);

/// Keyed hash of an API key. It can be compared only by [`MacKey::matches`], and no `Debug` shows it.
#[derive(Clone)]
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    /// Returns a hash that no key has, for the work of comparing where there is nothing to compare with.
    pub(crate) const fn of_nobody() -> Self {
        Self([0; 32])
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

impl FromStr for KeyHash {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let digits = text.strip_prefix(PREFIX);
        digits.and_then(hex::read).map(Self).ok_or_else(|| {
            ParseError(format!(
                "expected a hash, {PREFIX} and 64 digits from 0-9 and a-f"
            ))
        })
    }
}

text_form!(KeyHash);

#[cfg(test)]
mod tests {
    use super::*;

    const MAC_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    /// Computed with `openssl dgst -sha256 -mac HMAC -macopt hexkey:…`.
    const HASH: &str =
        "hmac-sha256:a7ad4a87061c9cd2ae1a2efa965bb9b857b68579159b536b4dc4582620f5c779";

    fn known() -> KeyText {
        let digits = "ab".repeat(32);
        KeyText::parse(format!("amp_3f9c2a7be1d04c58_{digits}").as_bytes()).unwrap()
    }

    #[test]
    fn a_hash_is_the_hmac_of_the_name_and_the_secret() {
        let mac: MacKey = MAC_KEY.parse().unwrap();
        assert_eq!(mac.hash(&known()).to_string(), HASH);
        assert_eq!(mac.id().to_string(), "c36f371682b5e225");
        assert_eq!(mac.to_text().as_str(), format!("{MAC_KEY}\n"));
    }

    #[test]
    fn a_key_matches_its_own_hash_under_its_own_mac_key_only() {
        let mac: MacKey = MAC_KEY.parse().unwrap();
        let key = known();
        let hash: KeyHash = HASH.parse().unwrap();
        assert!(mac.matches(&key, &hash));
        assert!(!mac.matches(&key, &KeyHash::of_nobody()));
        assert!(!MacKey::generate().unwrap().matches(&key, &hash));
        let text = key.reveal();
        for place in 4..text.len() {
            let mut other = text.as_bytes().to_vec();
            other[place] = if other[place] == b'0' { b'1' } else { b'0' };
            if let Some(other) = KeyText::parse(&other) {
                assert!(!mac.matches(&other, &hash), "digit {place}");
            }
        }
        for byte in 0..32 {
            let mut other = hash.clone();
            other.0[byte] ^= 1;
            assert!(!mac.matches(&key, &other), "byte {byte}");
        }
    }

    #[test]
    fn a_mac_key_has_one_spelling_and_is_not_shown() {
        for wrong in [
            "",
            &MAC_KEY[1..],
            &format!("{MAC_KEY}\n\n"),
            &format!(" {MAC_KEY}"),
            &MAC_KEY.to_uppercase(),
        ] {
            let refused = wrong.parse::<MacKey>().unwrap_err().to_string();
            assert!(!refused.contains("0001"), "{refused}");
        }
        let mac: MacKey = MAC_KEY.parse().unwrap();
        assert!(!format!("{mac:?}").contains("0001"));
    }
}
