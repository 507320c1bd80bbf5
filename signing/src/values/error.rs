//! Everything that can go wrong between a bundle on disk and a verified one.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::values::document_kind::DocumentKind;
use crate::values::key_id::{KeyId, join_ids};
use crate::values::trust_error::TrustError;
use ampoule_units::ByteSize;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason of a refusal or a failure. [`Error::code`] is stable; the message is for people.
///
/// Messages name files as the manifest spells them and never contain a path outside the bundle or
/// key material.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `envelope.missing`: the directory has no envelope, or there is nothing at all.
    #[error(
        "this is not a signed bundle: expected a directory holding ampoule.dsse.json, found {found}; \
         sign it first with `ampoule-sign sign`"
    )]
    EnvelopeMissing {
        /// A description of the thing that is there instead.
        found: &'static str,
    },
    /// `envelope.too-large`: the envelope is longer than a manifest of legal size needs.
    #[error("the envelope is {found} long, more than the {allowed} that one may have")]
    EnvelopeTooLarge {
        /// Its length.
        found: ByteSize,
        /// The most that is read.
        allowed: ByteSize,
    },
    /// `envelope.malformed`: not a DSSE envelope in the one spelling that is accepted.
    #[error("the envelope is not a canonical DSSE envelope: {reason}; sign the {document} again")]
    EnvelopeMalformed {
        /// The kind of document that was expected in the envelope.
        document: DocumentKind,
        /// A description of what was expected and what was found.
        reason: String,
    },
    /// `envelope.payload-type`: a signed document, but of another kind.
    #[error(
        "the envelope holds a document of the type {found:?}, expected {expected:?}; give the right file"
    )]
    EnvelopePayloadType {
        /// The type that the envelope names.
        found: String,
        /// The type that was expected: a manifest's or a root's.
        expected: &'static str,
    },

    /// `signature.missing`: nobody signed.
    #[error("the {document} is unsigned; sign it with `{}`", document.sign_command())]
    SignatureMissing {
        /// The unsigned document.
        document: DocumentKind,
    },
    /// `signature.invalid`: a trusted key is named, and its signature does not fit the payload.
    #[error(
        "the signature of key {key_id} does not fit the signed bytes: one of the two was changed after \
         signing; fetch the file again"
    )]
    SignatureInvalid {
        /// The key that the signature names.
        key_id: KeyId,
    },

    /// `manifest.too-large`: over 1 MiB.
    #[error("the manifest is {found} long, more than the {allowed} that one may have")]
    ManifestTooLarge {
        /// Its length.
        found: ByteSize,
        /// The most that is read.
        allowed: ByteSize,
    },
    /// `manifest.malformed`: not strict JSON.
    #[error("the manifest is not strict JSON: {reason}")]
    ManifestMalformed {
        /// A description of what was expected and what was found.
        reason: String,
    },
    /// `manifest.field`: a field is missing, unknown or has a value that it may not have.
    #[error("the manifest's field `{field}`: {reason}")]
    ManifestField {
        /// The field, by its path: `limits.init.fuel`, `files[3].size`.
        field: String,
        /// A description of what was expected and what was found.
        reason: String,
    },
    /// `manifest.path`: a file's path could leave the bundle or mean two files.
    #[error("the manifest's path {path:?}: {reason}")]
    ManifestPath {
        /// The path as the manifest spells it.
        path: String,
        /// A description of what was expected and what was found.
        reason: String,
    },
    /// `manifest.missing`: there is no `manifest.json` to sign.
    #[error("there is no manifest.json to sign; write one with `ampoule-sign init`")]
    ManifestMissing,

    /// `file.missing`: the manifest lists a file that is not there.
    #[error("the manifest lists {path:?}, and the bundle does not have it; fetch the bundle again")]
    FileMissing {
        /// The path as the manifest spells it.
        path: String,
    },
    /// `file.symlink`: a symbolic link stands where a file or a directory should be. Links are followed
    /// only in the path of a directory, never to a file and never below a directory.
    #[error(
        "{path:?} is reached through a symbolic link; put the file itself there, as `cp -RL` copies a \
         directory"
    )]
    FileSymlink {
        /// The path as the manifest spells it.
        path: String,
    },
    /// `file.type`: a directory, a device or a pipe stands where a file should be.
    #[error("{path:?} is not a regular file")]
    FileType {
        /// The path as the manifest spells it.
        path: String,
    },
    /// `file.size`: the file does not have the size that was signed.
    #[error("{path:?} is {found} long, the manifest says {expected}; fetch the bundle again")]
    FileSize {
        /// The path as the manifest spells it.
        path: String,
        /// The size that was signed.
        expected: ByteSize,
        /// The size that was found. For a file that grew while it was read, one byte more than expected.
        found: ByteSize,
    },
    /// `file.archive`: a file that is not as `ampoule-sign pack` writes a bundle.
    #[error(
        "this is no packed bundle: {reason}; fetch it again, or pack it with `ampoule-sign pack`"
    )]
    FileArchive {
        /// A description of what was expected and what was found.
        reason: String,
    },
    /// `file.digest`: the file does not have the content that was signed.
    #[error(
        "the content of {path:?} does not have the digest in the manifest; fetch the bundle again"
    )]
    FileDigest {
        /// The path as the manifest spells it.
        path: String,
    },
    /// `file.pointer`: Git LFS put a pointer where the file belongs.
    #[error(
        "{path:?} is a pointer of Git LFS and not the file itself; fetch it with `git lfs pull`, or leave \
         it out with --exclude"
    )]
    FilePointer {
        /// The path in the directory.
        path: String,
    },
    /// `file.changed`: the file was written to while it was read.
    #[error("{path:?} was changed while it was read; wait until it is written, and try again")]
    FileChanged {
        /// The path in the directory.
        path: String,
    },
    /// `file.too-large`: the bundle's files together are larger than the caller reads.
    #[error("the bundle's files are {found} together, more than the {allowed} that are read here")]
    FileTooLarge {
        /// The sizes in the manifest, added up.
        found: ByteSize,
        /// The most that may be read.
        allowed: ByteSize,
    },

    /// `trust.*`: signers, or the rules that name them.
    #[error(transparent)]
    Trust(#[from] TrustError),

    /// `usage.arguments`: the command line does not parse, or its parts contradict each other.
    #[error("{0}")]
    UsageArguments(String),
    /// `usage.signed`: the key has signed the document already.
    #[error("the key {key_id} has signed this already, and counts only once; nothing was changed")]
    UsageSigned {
        /// The key.
        key_id: KeyId,
    },
    /// `usage.others-signed`: signing anew would lose signatures over the very same document.
    #[error(
        "{} signed this manifest already, and signing it anew would lose that; add a signature with \
         `ampoule-sign cosign`, or remove ampoule.dsse.json first",
        join_ids(others)
    )]
    UsageOthersSigned {
        /// The keys that are not among those that sign now.
        others: Vec<KeyId>,
    },
    /// `usage.changed`: the document changed between its review and its signature.
    #[error("the {document} changed during the review; nothing was signed, review it again")]
    UsageChanged {
        /// The document that was to be signed.
        document: DocumentKind,
    },
    /// `usage.declined`: the question was not answered with yes.
    #[error("the answer was not `yes`, so nothing was done")]
    UsageDeclined,
    /// `usage.expired`: the document has expired, so that hosts would take it and not believe it.
    #[error(
        "the {document} expired at {expires}, and it is {now}: hosts would install it and not believe it; \
         correct `expires`, or give --allow-expired"
    )]
    UsageExpired {
        /// The document that was to be signed.
        document: DocumentKind,
        /// The document's end.
        expires: jiff::Timestamp,
        /// The time of the check.
        now: jiff::Timestamp,
    },
    /// `usage.password`: the private key's password is missing, empty or wrong.
    #[error("{0}")]
    UsagePassword(&'static str),
    /// `usage.secret`: one of the files to be published looks like a secret.
    #[error(
        "some files look like secrets, and a published bundle cannot be taken back: {found}; move them \
         elsewhere, leave them out with `ampoule-sign init --exclude {first}`, or give --allow-secret \
         {first} for one that is no secret"
    )]
    UsageSecret {
        /// The paths that were found, each with the kind of secret.
        found: String,
        /// The pattern of [`FileRules`](crate::FileRules) that fits the first path and no other, quoted for a
        /// shell.
        first: String,
    },
    /// `usage.private-key`: not an Ed25519 private key that can be read.
    #[error(
        "this private key cannot be used: expected an Ed25519 key in a PEM block `ENCRYPTED PRIVATE KEY` or \
         `PRIVATE KEY` (PKCS#8), found {found}"
    )]
    UsagePrivateKey {
        /// A description of the file's content; never key material.
        found: Cow<'static, str>,
    },

    /// `io.exists`: refused to overwrite.
    #[error("{what} exists already and is not overwritten; move it away or choose another name")]
    IoExists {
        /// The name of the existing file.
        what: Cow<'static, str>,
    },
    /// `io.random`: the system has no random numbers.
    #[error("the system gave no random numbers")]
    IoRandom,
    /// `io.failed`: the system refused a read or a write.
    #[error("cannot {doing}: {}", source.kind())]
    Io {
        /// The attempt, as in "cannot read the envelope".
        doing: String,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// `io.locked`: another process holds the lock on a directory that this one has to change.
    #[error(
        "another process has kept {what} locked for {} s; wait until it is done, or end it, and try again",
        waited.as_secs()
    )]
    Locked {
        /// The name of the locked directory: "the trust directory".
        what: String,
        /// The time that this process waited for the lock.
        waited: Duration,
    },
    /// `io.clock`: the system's clock is off, so that expiry cannot be checked.
    #[error("the system's clock cannot be right: it says {found}; set it, and try again")]
    Clock {
        /// The time that the clock shows, described where it is no timestamp.
        found: String,
    },
    /// `internal.encoding`: encoding failed where it cannot fail. A bug of ours.
    #[error("internal error while encoding {0}; please report it")]
    Internal(&'static str),
}

impl Error {
    /// The stable code: the family, a dot, and the case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::EnvelopeMissing { .. } => "envelope.missing",
            Self::EnvelopeTooLarge { .. } => "envelope.too-large",
            Self::EnvelopeMalformed { .. } => "envelope.malformed",
            Self::EnvelopePayloadType { .. } => "envelope.payload-type",
            Self::SignatureMissing { .. } => "signature.missing",
            Self::SignatureInvalid { .. } => "signature.invalid",
            Self::ManifestTooLarge { .. } => "manifest.too-large",
            Self::ManifestMalformed { .. } => "manifest.malformed",
            Self::ManifestField { .. } => "manifest.field",
            Self::ManifestPath { .. } => "manifest.path",
            Self::ManifestMissing => "manifest.missing",
            Self::FileMissing { .. } => "file.missing",
            Self::FileSymlink { .. } => "file.symlink",
            Self::FileType { .. } => "file.type",
            Self::FileSize { .. } => "file.size",
            Self::FileArchive { .. } => "file.archive",
            Self::FileDigest { .. } => "file.digest",
            Self::FilePointer { .. } => "file.pointer",
            Self::FileChanged { .. } => "file.changed",
            Self::FileTooLarge { .. } => "file.too-large",
            Self::Trust(error) => error.code(),
            Self::UsageArguments(_) => "usage.arguments",
            Self::UsageSigned { .. } => "usage.signed",
            Self::UsageOthersSigned { .. } => "usage.others-signed",
            Self::UsageChanged { .. } => "usage.changed",
            Self::UsageDeclined => "usage.declined",
            Self::UsageExpired { .. } => "usage.expired",
            Self::UsageSecret { .. } => "usage.secret",
            Self::UsagePassword(_) => "usage.password",
            Self::UsagePrivateKey { .. } => "usage.private-key",
            Self::IoExists { .. } => "io.exists",
            Self::IoRandom => "io.random",
            Self::Io { .. } => "io.failed",
            Self::Locked { .. } => "io.locked",
            Self::Clock { .. } => "io.clock",
            Self::Internal(_) => "internal.encoding",
        }
    }

    /// Returns the system's error, if the system refused.
    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// Makes an error of the system's refusal to do `doing` ("read the envelope"), for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io {
            doing,
            source: Arc::new(source),
        }
    }
}
