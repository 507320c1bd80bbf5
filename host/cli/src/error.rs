//! Errors of the command, beyond the library's own.

use ampoule::{Limit, Phase, Remedy};

use crate::config_place::Place;
use crate::limit_options::{cap_of, option_of};
use crate::lowered::Lowered;

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An error of the library, with its own code.
    #[error("{}", explained(.0))]
    Host(#[from] ampoule::Error),

    /// An error of the library for a request that got less than its model's manifest asks for.
    #[error("{error}; {lowered}")]
    Lowered {
        error: ampoule::Error,
        lowered: Lowered,
    },

    /// An error of the signing library, with its own code.
    #[error("{}", explained_signing(.0))]
    Signing(#[from] ampoule_signing::Error),

    /// An error about the certificate of the server or its key, with its own code.
    #[error(transparent)]
    Tls(#[from] ampoule_server::TlsError),

    /// An error about a file, with the error's own code.
    #[error("{file:?}: {error}")]
    File { file: String, error: Box<Error> },

    /// An error about API keys, with its own code.
    #[error("{}", explained_access(.0))]
    Access(#[from] ampoule_access::Error),

    /// An error about the key directory, with the error's own code.
    #[error("the key directory {directory:?}: {}", explained_access(error))]
    Keys {
        directory: String,
        error: ampoule_access::Error,
    },

    /// An error about a secret's file, with the error's own code.
    #[error("the file {file:?}: {}", explained_signing(error))]
    SecretFile {
        file: String,
        error: ampoule_signing::Error,
    },

    /// An error about the cache of answers, with its own code.
    #[error("the cache of answers: {}", explained_answers(.0))]
    Answers(#[source] ampoule_answers::Error),

    /// An error about the directory or the key file of the cache of answers, with the error's own code.
    #[error("the cache of answers: {what}: {}", explained_answers(error))]
    AnswersPath {
        what: String,
        error: ampoule_answers::Error,
    },

    /// An error about an audit log, with its own code.
    #[error("{}", explained_audit(.0))]
    Audit(#[from] ampoule_audit::Error),

    /// An error about the audit log of a server, with its own code.
    #[error("the audit log {directory:?}: {}", explained_writing(error))]
    AuditLog {
        directory: String,
        error: ampoule_audit::Error,
    },

    /// `audit.unwritten`.
    #[error(
        "the server has ended, and rows of its audit log could not be written in time; the log before it says why"
    )]
    AuditUnwritten,

    /// `usage.keys`.
    #[error("no key directory is given; name one with --keys DIR or AMPOULE_KEYS")]
    NoKeys,

    /// `usage.no-such-api-key`: nothing to revoke.
    #[error(
        "no API key of the tenant {0} would be revoked; `ampoule keys list --all` shows those that there are"
    )]
    NothingToRevoke(ampoule_access::TenantName),

    /// `usage.trust`.
    #[error(
        "no trust directory is given; name one with --trust DIR or AMPOULE_TRUST, or with `trust` in the configuration file"
    )]
    NoTrust,

    /// An error about the trust directory, with the error's own code.
    #[error("the trust directory {directory:?}: {}", explained_signing(error))]
    Trust {
        directory: String,
        error: ampoule_signing::Error,
    },

    /// `usage.built-in`.
    #[error(
        "the built-in model does not offer `{asked}`; name a model that does with --model BUNDLE"
    )]
    BuiltInLacks { asked: ampoule::Task },

    /// `usage.config`.
    #[error("{0}: {1}")]
    Config(Place, String),

    /// An error about a value of the configuration file, with the error's own code.
    #[error("{place}: {error}")]
    Configured { place: Place, error: Box<Error> },

    /// `usage.setting`.
    #[error("{0}")]
    Setting(String),

    /// `usage.limits`: a limit of one model. No option sets that one.
    #[error("{0}")]
    ModelLimit(ampoule::Error),

    /// `usage.no-such-key`.
    #[error("the key {0} is not in the trust store; `ampoule trust list` shows those that are")]
    NoSuchKey(ampoule::KeyId),

    /// `usage.nobody-trusted`.
    #[error("the trust store has no rule for {0}; `ampoule trust list` shows its rules")]
    NobodyTrusted(String),

    /// `usage.no-such-release`.
    #[error(
        "no remembered release of {0} would change; `ampoule trust releases list` shows those that are remembered"
    )]
    NothingToForget(String),

    /// `usage.digest`.
    #[error(
        "there is no terminal to confirm the root on; give --digest with the digest that its signers told you by \
         another way"
    )]
    NoDigest,

    /// `usage.declined`.
    #[error("the answer was not `yes`, so nothing was done")]
    Declined,

    /// `usage.cache`.
    #[error(
        "there is no cache: name a directory with --cache DIR or AMPOULE_CACHE, and leave out --no-cache"
    )]
    NoCache,

    /// `file.cache-entry`.
    #[error(
        "{bad} entries of the cache cannot be used; loading a model replaces those that it needs, and `ampoule \
         cache clear` removes all"
    )]
    BadCache { bad: usize },

    /// `io.read`.
    #[error("cannot read {what}: {reason}")]
    Read { what: String, reason: String },

    /// `io.write`: a file.
    #[error("cannot write {what}: {reason}")]
    WriteFile { what: String, reason: String },

    /// An error of the library about a picture, which is named by its place among those given.
    #[error("image {place}: {}", explained(error))]
    Image { place: usize, error: ampoule::Error },

    /// `io.write`.
    #[error("cannot write the answer: {0}")]
    Write(String),

    /// `io.closed-pipe`: the reader has gone. Not shown.
    #[error("the reader of the answer has gone")]
    ClosedPipe,

    /// `io.thread`.
    #[error("the system gave no thread: {0}")]
    Thread(String),

    /// `io.listen`.
    #[error(
        "cannot listen on {address}: {reason}; end the program that uses the address, or choose another with --listen"
    )]
    Listen {
        address: std::net::SocketAddr,
        reason: String,
    },

    /// `io.interrupted`: a second signal.
    #[error("ended at once, with requests unanswered, as the second signal asked")]
    Interrupted,

    /// `internal.bug`.
    #[error("internal error, please report it: {0}")]
    Internal(&'static str),

    /// `internal.bug`: a panic.
    #[error(transparent)]
    Panicked(#[from] ampoule_command_line::Panicked),
}

impl Error {
    /// Names the place of the configuration file that the error is about, if it is about one.
    pub(crate) fn at(self, place: Option<Place>) -> Self {
        match place {
            Some(place) => Self::Configured {
                place,
                error: Box::new(self),
            },
            None => self,
        }
    }

    /// Names the file that an error is about.
    pub(crate) fn about_file(self, file: String) -> Self {
        Self::File {
            file,
            error: Box::new(self),
        }
    }

    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Host(error) | Self::ModelLimit(error) | Self::Lowered { error, .. } => {
                error.code()
            }
            Self::Signing(error) | Self::Trust { error, .. } | Self::SecretFile { error, .. } => {
                error.code()
            }
            Self::Image { error, .. } => error.code(),
            Self::Access(error) | Self::Keys { error, .. } => error.code(),
            Self::Answers(error) | Self::AnswersPath { error, .. } => error.code(),
            Self::Audit(error) | Self::AuditLog { error, .. } => error.code(),
            Self::AuditUnwritten => "audit.unwritten",
            Self::NoKeys => "usage.keys",
            Self::NothingToRevoke(_) => "usage.no-such-api-key",
            Self::NoTrust => "usage.trust",
            Self::BuiltInLacks { .. } => "usage.built-in",
            Self::Config(..) => "usage.config",
            Self::Configured { error, .. } | Self::File { error, .. } => error.code(),
            Self::Tls(error) => error.code(),
            Self::Setting(_) => "usage.setting",
            Self::NoSuchKey(_) => "usage.no-such-key",
            Self::NobodyTrusted(_) => "usage.nobody-trusted",
            Self::NothingToForget(_) => "usage.no-such-release",
            Self::NoDigest => "usage.digest",
            Self::Declined => "usage.declined",
            Self::NoCache => "usage.cache",
            Self::BadCache { .. } => "file.cache-entry",
            Self::Read { .. } => "io.read",
            Self::Write(_) | Self::WriteFile { .. } => "io.write",
            Self::ClosedPipe => "io.closed-pipe",
            Self::Thread(_) => "io.thread",
            Self::Listen { .. } => "io.listen",
            Self::Interrupted => "io.interrupted",
            Self::Internal(_) => "internal.bug",
            Self::Panicked(panicked) => panicked.code(),
        }
    }
}

/// Returns the library's message, with the option that allows the refused thing.
pub(crate) fn explained(error: &ampoule::Error) -> String {
    if let Some(remedy) = error.remedy() {
        return format!("{error}; {}", way_out(&remedy));
    }
    match error {
        // Nobody gets the log of a model that does not load.
        ampoule::Error::Trap {
            phase: Phase::Init, ..
        } => format!("{error}; -vv shows it"),
        ampoule::Error::Guest {
            phase: Phase::Init, ..
        } => format!("{error}; -vv shows what it printed"),
        ampoule::Error::LimitRange { name, .. } => {
            let limit = Limit::ALL.iter().find(|limit| limit.field() == *name);
            limit.map_or_else(
                || error.to_string(),
                |limit| format!("{error}; --{} sets it", option_of(*limit)),
            )
        }
        _ => error.to_string(),
    }
}

fn explained_signing(error: &ampoule_signing::Error) -> String {
    explained(&ampoule::Error::Bundle(ampoule::refusal(error)))
}

fn explained_access(error: &ampoule_access::Error) -> String {
    match error {
        ampoule_access::Error::Files(error) => explained_signing(error),
        _ => error.to_string(),
    }
}

fn explained_answers(error: &ampoule_answers::Error) -> String {
    match error {
        ampoule_answers::Error::Files(error) => explained_signing(error),
        _ => error.to_string(),
    }
}

/// Returns the crate's message, which says what to do about a log that is not as it was left.
fn explained_writing(error: &ampoule_audit::Error) -> String {
    match error {
        ampoule_audit::Error::Files(error) => explained_signing(error),
        _ => error.to_string(),
    }
}

fn explained_audit(error: &ampoule_audit::Error) -> String {
    match error {
        ampoule_audit::Error::Files(error) => explained_signing(error),
        ampoule_audit::Error::Fault(fault) => format!(
            "the audit log is not as it was written: {fault}; what stands before that place is"
        ),
        _ => error.to_string(),
    }
}

fn way_out(remedy: &Remedy) -> String {
    let with_value = |option: &str, enough: Option<&str>| match enough {
        Some(enough) => format!("--{option} {enough} allows it"),
        None => format!("--{option} allows more"),
    };
    match remedy {
        Remedy::Limit { limit, enough, .. } => {
            let option = option_of(*limit);
            format!(
                "{} ({option} under [limits] in the configuration file)",
                with_value(option, enough.as_deref())
            )
        }
        Remedy::PublisherCap { limit, enough, .. } => format!(
            "`ampoule trust add` with {}",
            with_value(cap_of(*limit), Some(enough))
        ),
        // The library knows no other.
        _ => "see `ampoule --help`".to_owned(),
    }
}
