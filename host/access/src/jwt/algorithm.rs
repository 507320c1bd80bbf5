//! Algorithms of signatures.

use std::fmt;
use std::str::FromStr;

use ampoule_units::{ParseError, text};

use crate::text_form::text_form;

/// Algorithm by which an issuer signs its tokens (RFC 7518, section 3.1, and RFC 8037, section 3.1). Text form: its name
/// in a token's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenAlgorithm {
    /// `EdDSA`, with Ed25519. Its other name is `Ed25519`.
    EdDsa,
    /// `ES256`: ECDSA with P-256 and SHA-256.
    Es256,
    /// `RS256`: RSA of 2048 to 8192 bits, PKCS #1 v1.5, with SHA-256.
    Rs256,
    /// `HS256`: HMAC-SHA-256 with a secret that the issuer and the server share.
    Hs256,
}

impl TokenAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Rs256, Self::Hs256];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }

    /// Tells whether a token or a key names the algorithm so. `Ed25519` is the newer name of `EdDSA` with that curve
    /// (RFC 9864, section 2.2).
    pub(super) fn is_named(self, name: &str) -> bool {
        name == self.name() || (self == Self::EdDsa && name == "Ed25519")
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TokenAlgorithm {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        let algorithm = Self::ALL.into_iter().find(|known| known.is_named(name));
        algorithm.ok_or_else(|| {
            let found = text::name(name);
            ParseError(format!(
                "expected an algorithm, EdDSA or Ed25519, ES256, RS256 or HS256, found {found:?}"
            ))
        })
    }
}

text_form!(TokenAlgorithm);

/// Algorithm with public keys. No file of public keys is ever taken for a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicAlgorithm {
    /// `EdDSA`, with Ed25519.
    EdDsa,
    /// `ES256`.
    Es256,
    /// `RS256`.
    Rs256,
}

impl From<PublicAlgorithm> for TokenAlgorithm {
    fn from(algorithm: PublicAlgorithm) -> Self {
        match algorithm {
            PublicAlgorithm::EdDsa => Self::EdDsa,
            PublicAlgorithm::Es256 => Self::Es256,
            PublicAlgorithm::Rs256 => Self::Rs256,
        }
    }
}
