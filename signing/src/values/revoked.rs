//! Things that a revocation list may name.

use std::fmt;

use crate::values::digest::Sha256Digest;
use crate::values::key_id::KeyId;

/// Something that a revocation list may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revoked {
    /// A key. Its signatures under models count no more, whenever they were made.
    Key(KeyId),
    /// A bundle, by the digest of its manifest's exact bytes.
    Manifest(Sha256Digest),
    /// A component, by the digest of its bytes. It is revoked in every bundle.
    Component(Sha256Digest),
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "the key {id}"),
            Self::Manifest(digest) => write!(f, "the bundle whose manifest is sha256:{digest}"),
            Self::Component(digest) => write!(f, "the component sha256:{digest}"),
        }
    }
}
