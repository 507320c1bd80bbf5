//! What the command line can fail with, beyond the library's own errors.

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The library's errors keep their codes.
    #[error(transparent)]
    Host(#[from] ampoule::Error),

    /// So do signing's.
    #[error(transparent)]
    Signing(#[from] ampoule_signing::Error),

    /// `usage.trust`.
    #[error("no trust directory is given; name one with --trust DIR or AMPOULE_TRUST")]
    NoTrust,

    /// `usage.config`.
    #[error("the configuration file: {0}")]
    Config(String),

    /// `usage.setting`.
    #[error("{0}")]
    Setting(String),

    /// `usage.no-such-key`.
    #[error("the key {0} is not in the trust store; `ampoule trust list` shows those that are")]
    NoSuchKey(ampoule::KeyId),

    /// `io.read`.
    #[error("cannot read {what}: {reason}")]
    Read { what: &'static str, reason: String },

    /// `io.write`.
    #[error("cannot write the answer: {0}")]
    Write(String),

    /// `io.thread`.
    #[error("the system gave no thread: {0}")]
    Thread(String),
}

impl Error {
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Host(error) => error.code(),
            Self::Signing(error) => error.code(),
            Self::NoTrust => "usage.trust",
            Self::Config(_) => "usage.config",
            Self::Setting(_) => "usage.setting",
            Self::NoSuchKey(_) => "usage.no-such-key",
            Self::Read { .. } => "io.read",
            Self::Write(_) => "io.write",
            Self::Thread(_) => "io.thread",
        }
    }
}
