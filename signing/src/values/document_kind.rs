//! The kinds of document that are signed, and the commands for each.

use std::fmt;

/// The DSSE payload type of a manifest.
pub const PAYLOAD_TYPE: &str = "application/vnd.ampoule.manifest.v1+json";
/// The DSSE payload type of a root.
pub const ROOT_PAYLOAD_TYPE: &str = "application/vnd.ampoule.root.v1+json";
/// The DSSE payload type of a revocation list.
pub const REVOCATIONS_PAYLOAD_TYPE: &str = "application/vnd.ampoule.revocations.v1+json";

/// The kind of document in an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DocumentKind {
    /// A bundle: its manifest.
    Bundle,
    /// A root.
    Root,
    /// A revocation list.
    Revocations,
}

impl DocumentKind {
    /// The DSSE payload type, which is signed too.
    #[must_use]
    pub fn payload_type(self) -> &'static str {
        match self {
            Self::Bundle => PAYLOAD_TYPE,
            Self::Root => ROOT_PAYLOAD_TYPE,
            Self::Revocations => REVOCATIONS_PAYLOAD_TYPE,
        }
    }

    /// Returns the kind's name in messages.
    pub(crate) fn with_article(self) -> &'static str {
        match self {
            Self::Bundle => "the bundle",
            Self::Root => "the root",
            Self::Revocations => "the revocation list",
        }
    }

    /// Returns the command that signs such a document.
    pub(crate) fn sign_command(self) -> &'static str {
        match self {
            Self::Bundle => "ampoule-sign sign",
            Self::Root => "ampoule-sign root sign",
            Self::Revocations => "ampoule-sign revocations sign",
        }
    }

    /// Returns the command that adds a signature.
    pub(crate) fn cosign_command(self) -> &'static str {
        match self {
            Self::Bundle => "ampoule-sign cosign",
            Self::Root => "ampoule-sign root cosign",
            Self::Revocations => "ampoule-sign revocations cosign",
        }
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bundle => "bundle",
            Self::Root => "root",
            Self::Revocations => "revocation list",
        })
    }
}
