//! Everything that can go wrong between a bundle on disk and a verified one.

use std::io;

use crate::digest::Sha256Digest;
use crate::document_kind::DocumentKind;
use crate::exit_code::exit_code_for;
use crate::key::KeyId;
use crate::trust::Validity;
use crate::units::ByteSize;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or failed. [`Error::code`] is stable; the message is for people.
///
/// Messages name files as the manifest spells them and never contain a path outside the bundle or
/// key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `envelope.missing`: the directory has no envelope, or it is not a directory at all.
    #[error(
        "this is not a signed bundle: expected a directory holding ampoule.dsse.json, found {found}; \
         sign it first with `ampoule-sign sign`"
    )]
    EnvelopeMissing {
        /// What is there instead.
        found: &'static str,
    },
    /// `envelope.too-large`: the envelope is longer than a manifest of legal size needs.
    #[error("the envelope is {found} long, more than the {allowed} that one may have")]
    EnvelopeTooLarge {
        /// How long it is.
        found: ByteSize,
        /// How long it may be.
        allowed: ByteSize,
    },
    /// `envelope.malformed`: not a DSSE envelope in the one spelling that is accepted.
    #[error("the envelope is not a canonical DSSE envelope: {reason}; sign the {document} again")]
    EnvelopeMalformed {
        /// What it was to be around.
        document: DocumentKind,
        /// What was expected and what was found.
        reason: String,
    },
    /// `envelope.payload-type`: a signed document, but of another kind.
    #[error("the envelope holds {found:?}, expected {expected:?}")]
    EnvelopePayloadType {
        /// The type that the envelope names.
        found: String,
        /// The type of what was to be read: a manifest, or a root.
        expected: &'static str,
    },

    /// `signature.missing`: nobody signed.
    #[error("the {document} is unsigned; sign it with `{}`", document.sign_command())]
    SignatureMissing {
        /// What is unsigned.
        document: DocumentKind,
    },
    /// `signature.invalid`: a trusted key is named, and its signature does not fit the payload.
    #[error(
        "the signature of key {key_id} does not fit what it signs: one of them was changed after \
         signing; fetch it again"
    )]
    SignatureInvalid {
        /// The key that the signature names.
        key_id: KeyId,
    },

    /// `manifest.too-large`: over 1 MiB.
    #[error("the manifest is {found} long, more than the {allowed} that one may have")]
    ManifestTooLarge {
        /// How long it is.
        found: ByteSize,
        /// How long it may be.
        allowed: ByteSize,
    },
    /// `manifest.malformed`: not strict JSON.
    #[error("the manifest is not strict JSON: {reason}")]
    ManifestMalformed {
        /// What was expected and what was found.
        reason: String,
    },
    /// `manifest.field`: a field is missing, unknown or has a value that it may not have.
    #[error("the manifest's field `{field}`: {reason}")]
    ManifestField {
        /// The field, by its path: `limits.init.fuel`, `files[3].size`.
        field: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// `manifest.path`: a file's path could leave the bundle or mean two files.
    #[error("the manifest's path {path:?}: {reason}")]
    ManifestPath {
        /// The path as the manifest spells it.
        path: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// `manifest.missing`: there is no `manifest.json` to sign.
    #[error("there is no manifest.json to sign; write one with `ampoule-sign init`")]
    ManifestMissing,

    /// `file.missing`: the manifest lists a file that is not there.
    #[error("{path:?} is listed in the manifest and is not in the bundle")]
    FileMissing {
        /// The path as the manifest spells it.
        path: String,
    },
    /// `file.symlink`: a symbolic link stands where a file or a directory should be.
    #[error("{path:?} is reached through a symbolic link; put the file itself into the bundle")]
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
        /// The size that was found, or one more byte than expected if it grew while being read.
        found: ByteSize,
    },
    /// `file.digest`: the file does not have the content that was signed.
    #[error("the content of {path:?} is not what the manifest says; fetch the bundle again")]
    FileDigest {
        /// The path as the manifest spells it.
        path: String,
    },
    /// `file.too-large`: the bundle's files together are larger than the caller reads.
    #[error("the bundle's files are {found} together, more than the {allowed} that are read here")]
    FileTooLarge {
        /// The sizes in the manifest, added up.
        found: ByteSize,
        /// How much may be read.
        allowed: ByteSize,
    },

    /// `trust.unknown-key`: no signature is by a key that this host knows, or that may sign the root.
    #[error("signed by {}, {}", join(found), about_strangers(*document))]
    TrustUnknownKey {
        /// What was signed.
        document: DocumentKind,
        /// The key ids that the envelope names.
        found: Vec<KeyId>,
    },
    /// `trust.publisher`: signed, but by a key that may not speak for this publisher.
    #[error(
        "the manifest names the publisher {publisher:?}, and the key {} may not speak for it",
        join(signers)
    )]
    TrustPublisher {
        /// The publisher that the manifest names.
        publisher: String,
        /// The keys whose signatures are valid.
        signers: Vec<KeyId>,
    },
    /// `trust.model`: signed by a key that may sign other models of this publisher only.
    #[error(
        "the manifest names the model {model:?}, and the key {} may sign only {allowed}",
        join(signers)
    )]
    TrustModel {
        /// The publisher and the name that the manifest gives, with `/` between them.
        model: String,
        /// The models of this publisher that the keys may sign, in the same form.
        allowed: String,
        /// The keys whose signatures are valid.
        signers: Vec<KeyId>,
    },
    /// `trust.threshold`: signed by keys that count, and by too few of them.
    #[error(
        "{what} needs the signatures of {needed} of {keys} trusted keys, found {}: {}; {}",
        found.len(),
        if found.is_empty() { "none".to_owned() } else { join(found) },
        what_is_missing(*document, *needed, *keys)
    )]
    TrustThreshold {
        /// What was signed.
        document: DocumentKind,
        /// Which model or root.
        what: String,
        /// The distinct keys whose signatures count.
        found: Vec<KeyId>,
        /// How many distinct keys have to sign.
        needed: u32,
        /// How many keys may.
        keys: usize,
    },
    /// `trust.validity`: a key, or the trust in it, is not valid now.
    #[error("{what} is trusted {validity}, and it is {now}")]
    TrustValidity {
        /// The key or the models.
        what: String,
        /// From when to when.
        validity: Validity,
        /// The time of the check.
        now: jiff::Timestamp,
    },
    /// `trust.identity`: everything is in order, but it is not the model that was asked for.
    #[error("asked for {expected}, and this is {found}")]
    TrustIdentity {
        /// The reference, as the caller wrote it.
        expected: String,
        /// What the signed manifest says, or its digest.
        found: String,
    },
    /// `trust.expired`: the manifest's `not_after` has passed.
    #[error(
        "the bundle expired at {not_after}, and it is {now}; ask the publisher for a new release"
    )]
    TrustExpired {
        /// The manifest's `not_after`.
        not_after: jiff::Timestamp,
        /// The time of the check.
        now: jiff::Timestamp,
    },
    /// `trust.permissions`: somebody else could change or read what must not be changed or read.
    #[error("{what} has mode {mode:04o}, which lets {who}; run `chmod {fix}` on it")]
    TrustPermissions {
        /// What it is: "the bundle directory", a file of the bundle, "the private key file".
        what: String,
        /// Its permission bits.
        mode: u32,
        /// Who may do what.
        who: &'static str,
        /// The argument for `chmod` that puts it right.
        fix: &'static str,
    },
    /// `trust.weak-key`: a public key for which anybody can make signatures, or one that is not the
    /// only name of its key.
    #[error("the public key is refused: {reason}; make one with `ampoule-sign keygen`")]
    TrustWeakKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// `trust.malformed-key`: not an Ed25519 public key in SPKI PEM.
    #[error(
        "not a public key: expected an Ed25519 key in a PEM block `PUBLIC KEY`, found {found}; \
         export one with `ampoule-sign pubkey`"
    )]
    TrustMalformedKey {
        /// What was found.
        found: String,
    },
    /// `trust.missing`: the trust directory has neither `trust.toml` nor a root.
    #[error(
        "there is neither trust.toml nor a root in the trust directory; begin with `ampoule trust \
         add` or `ampoule trust root install`"
    )]
    TrustMissing,
    /// `trust.malformed`: `trust.toml` or a root does not parse or contradicts itself.
    #[error("{document} is refused: {reason}")]
    TrustMalformed {
        /// Which document.
        document: &'static str,
        /// What was expected and what was found.
        reason: String,
    },
    /// `trust.schema`: a document of a format that this version does not know.
    #[error(
        "{document} has schema {found}, and this Ampoule reads {known} only; update Ampoule, and it \
         will be read"
    )]
    TrustSchema {
        /// Which document.
        document: &'static str,
        /// Its schema.
        found: u64,
        /// The schema that is known.
        known: u64,
    },
    /// `trust.two-forms`: the trust directory has both a `trust.toml` and a root.
    #[error(
        "the trust directory would have both trust.toml and a root, and either decides alone; use \
         another directory or remove one of them"
    )]
    TrustTwoForms,
    /// `trust.root-missing`: there is no root that another could follow.
    #[error("no root is installed; begin with `ampoule trust root install`")]
    TrustRootMissing,
    /// `trust.root-installed`: there is a root already, and only its successors may replace it.
    #[error(
        "root version {version} is installed, and only `ampoule trust root update` may replace it"
    )]
    TrustRootInstalled {
        /// The installed root's version.
        version: u64,
    },
    /// `trust.root-digest`: a root, but not the one that was meant.
    #[error(
        "the root's digest is {found}, expected {expected}; get the right one from its signers"
    )]
    TrustRootDigest {
        /// The digest that was asked for.
        expected: Sha256Digest,
        /// The root's.
        found: Sha256Digest,
    },
    /// `trust.root-name`: another fleet's root.
    #[error("the root of {installed:?} is installed, and this is one of {found:?}")]
    TrustRootName {
        /// The installed root's name.
        installed: String,
        /// The name of the root that was to replace it.
        found: String,
    },
    /// `trust.root-rollback`: a root that is not newer than the installed one.
    #[error("root version {installed} is installed, and version {found} is not newer")]
    TrustRootRollback {
        /// The installed root's version.
        installed: u64,
        /// The version of the root that was to replace it.
        found: u64,
    },
    /// `trust.root-version`: a root that leaves out the ones before it.
    #[error(
        "root version {installed} can only be followed by the next, found {found}; give all roots \
         in between, in order"
    )]
    TrustRootVersion {
        /// The installed root's version.
        installed: u64,
        /// The version of the root that was to replace it.
        found: u64,
    },
    /// `trust.root-expired`: the root's time is over, so nothing that it says is believed any more.
    #[error(
        "the root of {name:?}, version {version}, expired at {expires}, and it is {now}; get the next \
         one and run `ampoule trust root update`"
    )]
    TrustRootExpired {
        /// The root's name.
        name: String,
        /// The root's version.
        version: u64,
        /// When it expired.
        expires: jiff::Timestamp,
        /// The time of the check.
        now: jiff::Timestamp,
    },

    /// `usage.arguments`: the command line does not parse or asks for what makes no sense.
    #[error("{0}")]
    UsageArguments(String),
    /// `usage.signed`: a key was to sign what it has signed already.
    #[error("the key {key_id} has signed this already, and counts only once; nothing was changed")]
    UsageSigned {
        /// The key.
        key_id: KeyId,
    },
    /// `usage.others-signed`: signing anew would lose signatures over the very same document.
    #[error(
        "{} signed this manifest already, and signing it anew would lose that; add a signature with \
         `ampoule-sign cosign`, or remove ampoule.dsse.json first",
        join(others)
    )]
    UsageOthersSigned {
        /// The keys that are not among those that sign now.
        others: Vec<KeyId>,
    },
    /// `usage.changed`: what was shown is not what would be signed any more.
    #[error("the {document} was changed while it was looked at; nothing was signed, look again")]
    UsageChanged {
        /// What was to be signed.
        document: DocumentKind,
    },
    /// `usage.declined`: whoever was asked did not say yes.
    #[error("the answer was not `yes`, so nothing was done")]
    UsageDeclined,
    /// `usage.expired`: a root that hosts would refuse to believe from the first moment.
    #[error(
        "the root is to expire at {expires}, and it is {now}: nothing would load on a host that takes \
         it; correct `expires`, or say --allow-expired"
    )]
    UsageExpired {
        /// When it is to expire.
        expires: jiff::Timestamp,
        /// The time of the check.
        now: jiff::Timestamp,
    },
    /// `usage.password`: the private key's password is missing, empty or wrong.
    #[error("{0}")]
    UsagePassword(&'static str),
    /// `usage.private-key`: not an Ed25519 private key that can be read.
    #[error(
        "not a private key: expected an Ed25519 key in a PEM block `ENCRYPTED PRIVATE KEY` or \
         `PRIVATE KEY` (PKCS#8), found {found}"
    )]
    UsagePrivateKey {
        /// What was found; never key material.
        found: &'static str,
    },

    /// `io.exists`: refused to overwrite.
    #[error("{what} exists already and is not overwritten; choose another name")]
    IoExists {
        /// What exists.
        what: &'static str,
    },
    /// `io.random`: the system has no random numbers.
    #[error("the system gave no random numbers")]
    IoRandom,
    /// `io.failed`: the system refused a read or a write.
    #[error("cannot {doing}: {}", source.kind())]
    Io {
        /// What was tried, as in "cannot read the envelope".
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// `internal.encoding`: something that always encodes did not. A bug of ours.
    #[error("internal error while encoding {0}; please report it")]
    Internal(&'static str),
}

impl Error {
    /// The stable code, dotted: the family, then what happened.
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
            Self::FileDigest { .. } => "file.digest",
            Self::FileTooLarge { .. } => "file.too-large",
            Self::TrustUnknownKey { .. } => "trust.unknown-key",
            Self::TrustPublisher { .. } => "trust.publisher",
            Self::TrustModel { .. } => "trust.model",
            Self::TrustThreshold { .. } => "trust.threshold",
            Self::TrustValidity { .. } => "trust.validity",
            Self::TrustIdentity { .. } => "trust.identity",
            Self::TrustExpired { .. } => "trust.expired",
            Self::TrustPermissions { .. } => "trust.permissions",
            Self::TrustWeakKey { .. } => "trust.weak-key",
            Self::TrustMalformedKey { .. } => "trust.malformed-key",
            Self::TrustMissing => "trust.missing",
            Self::TrustMalformed { .. } => "trust.malformed",
            Self::TrustSchema { .. } => "trust.schema",
            Self::TrustTwoForms => "trust.two-forms",
            Self::TrustRootMissing => "trust.root-missing",
            Self::TrustRootInstalled { .. } => "trust.root-installed",
            Self::TrustRootDigest { .. } => "trust.root-digest",
            Self::TrustRootName { .. } => "trust.root-name",
            Self::TrustRootRollback { .. } => "trust.root-rollback",
            Self::TrustRootVersion { .. } => "trust.root-version",
            Self::TrustRootExpired { .. } => "trust.root-expired",
            Self::UsageArguments(_) => "usage.arguments",
            Self::UsageSigned { .. } => "usage.signed",
            Self::UsageOthersSigned { .. } => "usage.others-signed",
            Self::UsageChanged { .. } => "usage.changed",
            Self::UsageDeclined => "usage.declined",
            Self::UsageExpired { .. } => "usage.expired",
            Self::UsagePassword(_) => "usage.password",
            Self::UsagePrivateKey { .. } => "usage.private-key",
            Self::IoExists { .. } => "io.exists",
            Self::IoRandom => "io.random",
            Self::Io { .. } => "io.failed",
            Self::Internal(_) => "internal.encoding",
        }
    }

    /// The exit status of a command that ends with this error ([`exit_code_for`] its code).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        exit_code_for(self.code())
    }

    /// For `map_err`: the system refused to do `doing` ("read the envelope").
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// A field of the manifest has a value that it may not have.
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::ManifestField {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

fn about_strangers(document: DocumentKind) -> String {
    match document {
        DocumentKind::Bundle => {
            "which this host does not know; if you trust the publisher, add the \
                                 key with `ampoule trust add`"
                .to_owned()
        }
        DocumentKind::Root => format!(
            "none of the keys that may sign this root; ask those who have them to sign it (`{}`)",
            document.cosign_command()
        ),
    }
}

fn what_is_missing(document: DocumentKind, needed: u32, keys: usize) -> String {
    // A root with fewer keys than its threshold is none, so this is about models.
    if (keys as u64) < u64::from(needed) {
        return "so few keys can never do, trust another (`ampoule trust add`)".to_owned();
    }
    format!(
        "ask for the others' signatures (`{}`)",
        document.cosign_command()
    )
}

fn join(ids: &[KeyId]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What the text of a digest, a size or a name was expected to be. The caller knows where it stood
/// and turns it into an [`Error`] of the right family.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub(crate) String);

/// A stranger's text for a message: short, and without anything that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut clean: String = text
        .chars()
        .take(LONGEST)
        .map(|c| {
            if c.is_control() || !c.is_ascii() {
                '?'
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        clean.push_str("...");
    }
    clean
}
