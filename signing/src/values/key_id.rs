//! Names of keys.

use std::fmt;
use std::str::FromStr;

use ampoule_units::ParseError;
use serde::{Deserialize, Serialize};

use crate::values::digest::Sha256Digest;

/// A key's name: the SHA-256 of its public half in SPKI DER. A hint for look-up, never authority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Sha256Digest);

impl KeyId {
    /// Names the key that these bytes of SPKI DER hold.
    pub(crate) fn of_spki(spki: &[u8]) -> Self {
        Self(Sha256Digest::of(spki))
    }

    /// The 32 bytes themselves.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse().map(Self)
    }
}

/// Lists names of keys in one line.
pub(crate) fn join_ids(ids: &[KeyId]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
