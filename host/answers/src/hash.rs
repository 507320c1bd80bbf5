//! HMAC-SHA-256 (RFC 2104), under keys of 32 bytes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// 32 secret bytes, which are wiped from memory when they are dropped.
pub(crate) type SecretBytes = Zeroizing<[u8; 32]>;

/// Begins a code under a key.
pub(crate) fn begin(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    let (start, _) = block.split_at_mut(key.len());
    start.copy_from_slice(key);
    <Hmac<Sha256>>::new((&*block).into())
}

/// Returns the code of some parts, one after the other.
pub(crate) fn code(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut code = begin(key);
    for part in parts {
        code.update(part);
    }
    code.finalize().into_bytes().into()
}
