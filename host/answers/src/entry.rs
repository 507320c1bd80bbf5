//! Format of an entry: a header, and the answer under AES-256-GCM (NIST SP 800-38D).
//!
//! An entry is the version (1 byte), the time at which it ends (8 bytes, milliseconds since 1970, big-endian), the
//! manifest's digest (32 bytes), a random nonce (12 bytes), and the ciphertext with its tag (16 bytes) at the end. Each
//! entry has a key of its own, derived from its tenant's key and its request's hash. The header and the hash are
//! authenticated too, so an entry in the place of another cannot be opened.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use ampoule_signing::Error as SigningError;
use zeroize::Zeroizing;

use crate::question::{Manifest, Question};
use crate::tenant_key::TenantKey;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 1 + 8 + 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// Bytes of an entry beside its answer.
pub(crate) const SEAL_BYTES: usize = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

/// Bytes of the largest answer that is kept. One generation is some kilobytes, and so is a vector.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Facts of an entry that are no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Time at which the entry ends, in milliseconds since 1970.
    pub(crate) expires: u64,
    pub(crate) manifest: Manifest,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [VERSION; HEADER_BYTES];
        let (_, rest) = bytes.split_at_mut(1);
        let (expires, manifest) = rest.split_at_mut(8);
        expires.copy_from_slice(&self.expires.to_be_bytes());
        manifest.copy_from_slice(&self.manifest);
        bytes
    }

    /// Reads the beginning of an entry, **unverified**.
    pub(crate) fn read_unverified(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (manifest, _) = rest.split_first_chunk()?;
        (*version == VERSION).then_some(Self {
            expires: u64::from_be_bytes(*expires),
            manifest: *manifest,
        })
    }
}

/// Encrypts and authenticates an answer.
///
/// # Errors
///
/// `io.random`, where the system gives no nonce.
pub(crate) fn seal(
    key: &TenantKey,
    question: &Question,
    header: Header,
    answer: &[u8],
) -> Result<Vec<u8>, SigningError> {
    let head = header.to_bytes();
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| SigningError::IoRandom)?;
    let payload = Payload {
        msg: answer,
        aad: &authenticated(question, &head),
    };
    // It fails for texts of gigabytes only.
    let sealed = cipher(key, question).encrypt((&nonce).into(), payload);
    let sealed = sealed.map_err(|_| SigningError::IoRandom)?;
    Ok([&head[..], &nonce, &sealed].concat())
}

/// Decrypts an entry; `None` for one that was changed, cut, or put into the place of another.
pub(crate) fn open(
    key: &TenantKey,
    question: &Question,
    header: Header,
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let head = header.to_bytes();
    let rest = sealed.strip_prefix(&head)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload {
        msg: ciphertext,
        aad: &authenticated(question, &head),
    };
    let opened = cipher(key, question).decrypt(nonce.into(), payload);
    opened.ok().map(Zeroizing::new)
}

fn cipher(key: &TenantKey, question: &Question) -> Aes256Gcm {
    let key = key.of_entry(&question.digest);
    Aes256Gcm::new((&*key).into())
}

fn authenticated(question: &Question, head: &[u8; HEADER_BYTES]) -> [u8; 32 + HEADER_BYTES] {
    let mut bytes = [0; 32 + HEADER_BYTES];
    let (digest, rest) = bytes.split_at_mut(32);
    digest.copy_from_slice(&question.digest);
    rest.copy_from_slice(head);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"a vector of some values";

    fn question(digest: u8) -> Question {
        Question {
            digest: [digest; 32],
            manifest: [9; 32],
        }
    }

    #[test]
    fn an_entry_with_any_bit_flipped_or_any_byte_cut_cannot_be_opened() {
        let key = TenantKey::of_session().unwrap();
        let header = Header {
            expires: 5,
            manifest: [9; 32],
        };
        let sealed = seal(&key, &question(1), header, ANSWER).unwrap();
        assert_eq!(sealed.len(), ANSWER.len() + SEAL_BYTES);
        let opened = |sealed: &[u8]| open(&key, &question(1), header, sealed);
        assert_eq!(opened(&sealed).unwrap().as_slice(), ANSWER);
        for byte in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[byte] ^= 1 << bit;
                assert!(opened(&changed).is_none(), "bit {bit} of byte {byte}");
            }
            assert!(opened(&sealed[..byte]).is_none(), "cut at {byte}");
        }
        assert!(opened(&[&sealed[..], &[0]].concat()).is_none());
    }

    #[test]
    fn an_entry_opens_for_its_own_tenant_request_age_and_model_only() {
        let key = TenantKey::of_session().unwrap();
        let header = Header {
            expires: 5,
            manifest: [9; 32],
        };
        let sealed = seal(&key, &question(1), header, ANSWER).unwrap();
        let other = TenantKey::of_session().unwrap();
        assert!(open(&other, &question(1), header, &sealed).is_none());
        assert!(open(&key, &question(2), header, &sealed).is_none());
        let later = Header {
            expires: 6,
            ..header
        };
        assert!(open(&key, &question(1), later, &sealed).is_none());
        let manifest = [8; 32];
        let another = Header { manifest, ..header };
        assert!(open(&key, &question(1), another, &sealed).is_none());
    }

    #[test]
    fn two_entries_of_one_answer_are_not_alike() {
        let key = TenantKey::of_session().unwrap();
        let header = Header {
            expires: 5,
            manifest: [9; 32],
        };
        let seal = || seal(&key, &question(1), header, ANSWER).unwrap();
        let (one, other) = (seal(), seal());
        assert_ne!(one, other);
        let text = ANSWER.get(..4).unwrap();
        assert!(!one.windows(4).any(|window| window == text));
        assert_eq!(Header::read_unverified(&one), Some(header));
        assert_eq!(Header::read_unverified(&one[..HEADER_BYTES - 1]), None);
    }
}
