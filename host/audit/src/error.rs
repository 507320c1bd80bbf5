//! Errors of writing and of reading a log.

use std::io;

use ampoule_signing::Error as SigningError;

use crate::fault::Fault;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Reason why a log cannot be written or read. [`Error::code`] is stable; the message is for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error about files, with its own code: `trust.owner`, `trust.permissions`, `file.symlink`, `io.failed` and
    /// their like.
    #[error(transparent)]
    Files(#[from] SigningError),
    /// `io.audit`: the system refused to read or to write.
    #[error("the audit log: cannot {doing}: {source}")]
    Io {
        /// Step that failed.
        doing: &'static str,
        /// Answer of the system.
        source: io::Error,
    },
    /// `audit.in-use`: another process writes the log.
    #[error("the audit log is written by another process; give each server a directory of its own")]
    InUse,
    /// A fault of the log itself, with its own code. Nothing was changed.
    #[error(
        "the audit log was changed by somebody else, or is not the one that this state belongs to: {0}; see what \
             happened, keep the log and its state as they are in another place, and begin with empty directories"
    )]
    Fault(#[from] Fault),
    /// `audit.state`: the state directory does not fit to the log.
    #[error(
        "the audit log and its state directory do not fit together: {0}; name the directories that belong together, \
         or move both away and begin with empty ones"
    )]
    State(&'static str),
    /// `audit.recipient`: a recipient cannot be used.
    #[error("{0}")]
    Recipient(String),
    /// `audit.identity`: an identity cannot be used.
    #[error("{0}")]
    Identity(String),
    /// `audit.too-large`: rows of one batch take more room than a frame has.
    #[error("rows of {found} bytes do not fit into one frame of at most {most}")]
    TooLarge {
        /// Bytes of the rows.
        found: usize,
        /// Bytes of a frame.
        most: usize,
    },
    /// `io.random`: the system has no random numbers.
    #[error("the system gave no random numbers")]
    Random,
    /// `internal.bug`.
    #[error("internal error, please report it: {0}")]
    Internal(&'static str),
}

impl Error {
    /// Returns the stable code: the family, a dot, and the case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(error) => error.code(),
            Self::Io { .. } => "io.audit",
            Self::InUse => "audit.in-use",
            Self::Fault(fault) => fault.kind.code(),
            Self::State(_) => "audit.state",
            Self::Recipient(_) => "audit.recipient",
            Self::Identity(_) => "audit.identity",
            Self::TooLarge { .. } => "audit.too-large",
            Self::Random => "io.random",
            Self::Internal(_) => "internal.bug",
        }
    }

    /// Makes an error of an answer of the system, for `map_err`.
    pub(crate) fn io(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    /// Tells whether trying again may help, as it does when somebody makes room on a disk.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Random)
    }
}
