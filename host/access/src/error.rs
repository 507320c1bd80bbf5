//! Errors of keys on disk.

use ampoule_signing::Error as SigningError;

use crate::jwt::TokenAlgorithm;
use crate::key_name::KeyName;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Reason why keys could not be read or changed. [`Error::code`] is stable; the message is for people, and holds no
/// part of a secret.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error about files, with its own code: `trust.owner`, `trust.permissions`, `file.symlink`, `io.failed` and
    /// their like.
    #[error(transparent)]
    Files(#[from] SigningError),
    /// `key.missing`: the directory holds no keys.
    #[error(
        "there are no API keys in the key directory: expected the file keys.toml; make a first key with `ampoule keys \
         add`"
    )]
    Missing,
    /// `key.malformed`: `keys.toml` cannot be read.
    #[error("keys.toml cannot be used: {0}")]
    Malformed(String),
    /// `key.mac-key`: the MAC key is missing, malformed, or not the one that the keys were made with.
    #[error("{0}")]
    MacKey(&'static str),
    /// `key.jwks`: a file of public keys cannot be read.
    #[error("the JWKS file cannot be used: {0}")]
    KeySet(String),
    /// `key.jwks-empty`: a file of public keys has none by which the issuer's tokens could be checked.
    #[error(
        "the JWKS file has no public key for signatures by {0}; put the issuer's keys into its set"
    )]
    NoKeys(TokenAlgorithm),
    /// `usage.token-settings`: the settings of issuers contradict each other.
    #[error("{0}")]
    TokenSettings(String),
    /// `key.too-many`: no more keys fit into the file.
    #[error("there are {0} API keys, and no more fit; remove ended ones with `ampoule keys prune`")]
    TooMany(usize),
    /// `usage.no-such-api-key`: no key has this name.
    #[error("there is no API key {0}; `ampoule keys list --all` shows those that there are")]
    NoSuchKey(KeyName),
    /// `usage.ended-key`: the key has ended, so nothing can take its place.
    #[error("the API key {0} has ended; make a new one with `ampoule keys add`")]
    EndedKey(KeyName),
    /// `usage.key-settings`: the settings of a new key contradict each other.
    #[error("{0}")]
    Settings(String),
}

impl Error {
    /// Returns the stable code: the family, a dot, and the case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(error) => error.code(),
            Self::Missing => "key.missing",
            Self::Malformed(_) => "key.malformed",
            Self::MacKey(_) => "key.mac-key",
            Self::KeySet(_) => "key.jwks",
            Self::NoKeys(_) => "key.jwks-empty",
            Self::TokenSettings(_) => "usage.token-settings",
            Self::TooMany(_) => "key.too-many",
            Self::NoSuchKey(_) => "usage.no-such-api-key",
            Self::EndedKey(_) => "usage.ended-key",
            Self::Settings(_) => "usage.key-settings",
        }
    }
}
