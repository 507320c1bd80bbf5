//! The chain: each frame's hash covers the frame before, and each frame carries a signature over its hash.
//!
//! A hash is over ciphertext, so a writer appends and recovers, and anybody verifies, without a key to read with.

use sha2::{Digest as _, Sha256};

use crate::hex_text::hex_text;

/// Sets hashes of frames apart from all else that is hashed.
const HASH_DOMAIN: &[u8] = b"ampoule-audit-frame-v1\0";
/// Sets signatures over frames apart from all else that a key signs.
const CHECKPOINT_DOMAIN: &[u8] = b"ampoule-audit-checkpoint-v1\0";

/// Random name of one log, 128 bits. Text form: 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId(pub(crate) [u8; 16]);
hex_text!(LogId, "a log's id, 32 digits from 0-9 and a-f");

/// SHA-256 (FIPS 180-4) over a frame and all before it. Text form: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameHash(pub(crate) [u8; 32]);
hex_text!(FrameHash, "a frame's hash, 64 digits from 0-9 and a-f");

impl FrameHash {
    /// The hash before a log's first frame.
    pub(crate) const START: Self = Self([0; 32]);

    /// Computes the hash of a frame that follows one with the hash `previous`.
    pub(crate) fn following(log: LogId, previous: Self, header: &[u8], payload: &[u8]) -> Self {
        let hash = Sha256::new_with_prefix(HASH_DOMAIN)
            .chain_update(log.0)
            .chain_update(previous.0)
            .chain_update(header)
            .chain_update(payload);
        Self(hash.finalize().into())
    }

    /// Returns the bytes that a frame's signature is over.
    pub(crate) fn checkpoint(&self) -> [u8; CHECKPOINT_DOMAIN.len() + 32] {
        let mut message = [0; CHECKPOINT_DOMAIN.len() + 32];
        let (domain, hash) = message.split_at_mut(CHECKPOINT_DOMAIN.len());
        domain.copy_from_slice(CHECKPOINT_DOMAIN);
        hash.copy_from_slice(&self.0);
        message
    }
}
