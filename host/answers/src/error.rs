//! Errors of making a cache.

use ampoule_signing::Error as SigningError;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Reason why a cache of answers cannot be made. [`Error::code`] is stable; the message is for people.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error about files, with its own code: `trust.owner`, `trust.permissions`, `io.locked`, `io.failed` and their
    /// like.
    #[error(transparent)]
    Files(#[from] SigningError),
    /// `usage.answer-cache`: a bound is out of range.
    #[error("`{bound}`: {fault}")]
    Bounds {
        /// Name of the bound.
        bound: &'static str,
        /// Values that were found and that are expected.
        fault: String,
    },
    /// `key.malformed`: the text of a key file is no key.
    #[error(
        "the key file is malformed: expected 64 digits from 0-9 and a-f and nothing else; make one with `openssl rand -hex \
         32`"
    )]
    Key,
}

impl Error {
    /// Returns the stable code: the family, a dot, and the case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(error) => error.code(),
            Self::Bounds { .. } => "usage.answer-cache",
            Self::Key => "key.malformed",
        }
    }
}
