//! Errors about signers, and about the rules that name them.

use crate::values::digest::Sha256Digest;
use crate::values::document_kind::DocumentKind;
use crate::values::key_id::{KeyId, join_ids};
use crate::values::revoked::Revoked;
use crate::values::validity::Validity;

/// The reason why a signature does not count, or why a document of trust is refused. [`TrustError::code`] is stable,
/// and always begins with `trust.`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// `trust.unknown-key`: no signature is by a key that this host knows, or that may sign the root.
    #[error("signed by {}, {}", join_ids(found), about_strangers(*document))]
    UnknownKey {
        /// The document that was signed.
        document: DocumentKind,
        /// The key ids that the envelope names.
        found: Vec<KeyId>,
    },
    /// `trust.publisher`: signed, but by a key that may not speak for this publisher.
    #[error(
        "the manifest names the publisher {publisher:?}, and the key {} may not sign for it; if it should, \
         add it with `ampoule trust add`",
        join_ids(signers)
    )]
    Publisher {
        /// The publisher that the manifest names.
        publisher: String,
        /// The keys whose signatures are valid.
        signers: Vec<KeyId>,
    },
    /// `trust.model`: signed by a key that may sign other models of this publisher only.
    #[error(
        "the manifest names the model {model:?}, and the key {} may sign only {allowed}",
        join_ids(signers)
    )]
    Model {
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
        if found.is_empty() { "none".to_owned() } else { join_ids(found) },
        what_is_missing(*document, *needed, *keys)
    )]
    Threshold {
        /// The document that was signed.
        document: DocumentKind,
        /// The model or the root.
        what: String,
        /// The distinct keys whose signatures count.
        found: Vec<KeyId>,
        /// The number of distinct keys that have to sign.
        needed: u32,
        /// The number of keys that may.
        keys: usize,
    },
    /// `trust.validity`: a key, or the trust in it, is not valid now.
    #[error("{what} is trusted {validity}, and the time is {now}")]
    Validity {
        /// The key or the models.
        what: String,
        /// The span.
        validity: Validity,
        /// The time of the check.
        now: jiff::Timestamp,
    },
    /// `trust.identity`: the bundle is in order, but it is another model than the one asked for.
    #[error("expected the model {expected}, found {found}")]
    Identity {
        /// The reference, as the caller wrote it.
        expected: String,
        /// The model that the signed manifest names, or its digest.
        found: String,
    },
    /// `trust.expired`: the manifest's `not_after` has passed.
    #[error(
        "the bundle expired at {not_after}, and it is {now}; ask the publisher for a new release"
    )]
    Expired {
        /// The manifest's `not_after`.
        not_after: jiff::Timestamp,
        /// The time of the check.
        now: jiff::Timestamp,
    },
    /// `trust.rollback`: a newer release of the model was run on this machine.
    #[error(
        "this is release {found} of {model}, and this machine has run release {seen}: the older one may have \
         known faults; get the newest, or give --allow-downgrade"
    )]
    Rollback {
        /// The publisher and the name, with `/` between them.
        model: String,
        /// The bundle's release.
        found: u64,
        /// The newest release that was run.
        seen: u64,
    },
    /// `trust.release-reused`: another bundle of the same release was run on this machine.
    #[error(
        "this machine has run another bundle as release {release} of {model}, and each bundle needs a release of \
         its own; ask the publisher to sign it with a higher `release`, or give --allow-downgrade"
    )]
    ReleaseReused {
        /// The publisher and the name, with `/` between them.
        model: String,
        /// The release of both.
        release: u64,
    },
    /// `trust.releases-full`: the model is new on this machine, and as many models of its publisher are
    /// remembered as may be. Those that are remembered go on, and other publishers' too.
    #[error(
        "this machine remembers the releases of {models} models of {publisher}, and at most {allowed} are \
         remembered; see `ampoule trust releases list`, forget those that are not run any more with \
         `ampoule trust releases forget {publisher}/MODEL`, or give --allow-downgrade to run this one without \
         remembering it"
    )]
    ReleasesFull {
        /// The publisher.
        publisher: String,
        /// The number of the publisher's models that are remembered.
        models: usize,
        /// The most that may be remembered.
        allowed: usize,
    },
    /// `trust.owner`: the file belongs to somebody else, who may change it whatever its mode says.
    #[error(
        "{what} belongs to uid {owner}, and only files of {} are taken here; move it or `chown` it",
        trusted_owners(*user)
    )]
    Owner {
        /// The name of the file or directory: "the bundle", a file of it, "the directory above the trust directory".
        what: String,
        /// The owner.
        owner: u32,
        /// The user that this process acts as.
        user: u32,
    },
    /// `trust.permissions`: the mode lets somebody else change or read the file.
    #[error("{what} has mode {mode:04o}, which lets {who}; run `chmod {fix}` on it")]
    Permissions {
        /// The name of the file or directory: "the bundle", a file of it, "the directory above the trust directory".
        what: String,
        /// Its permission bits.
        mode: u32,
        /// The people and their power: "everybody change it".
        who: &'static str,
        /// The argument for `chmod` that puts it right.
        fix: &'static str,
    },
    /// `trust.weak-key`: a public key for which anybody can make signatures, or one that is not the
    /// only name of its key.
    #[error("the public key is refused: {reason}; make one with `ampoule-sign keygen`")]
    WeakKey {
        /// The fault of the key.
        reason: &'static str,
    },
    /// `trust.malformed-key`: not an Ed25519 public key in SPKI PEM.
    #[error(
        "this public key cannot be used: expected an Ed25519 key in a PEM block `PUBLIC KEY`, found {found}; \
         `ampoule-sign pubkey` writes such files"
    )]
    MalformedKey {
        /// A description of the file's content.
        found: String,
    },
    /// `trust.missing`: the trust directory has neither `trust.toml` nor a root.
    #[error(
        "there is neither trust.toml nor a root in the trust directory; begin with `ampoule trust \
         add` or `ampoule trust root install`"
    )]
    Missing,
    /// `trust.malformed`: `trust.toml` or a root does not parse or contradicts itself.
    #[error("{document} is refused: {reason}")]
    Malformed {
        /// The document.
        document: &'static str,
        /// A description of what was expected and what was found.
        reason: String,
    },
    /// `trust.schema`: a document of a format that this version does not know.
    #[error(
        "{document} has schema {found}, and this Ampoule reads schema {known} only; update Ampoule"
    )]
    Schema {
        /// The document.
        document: &'static str,
        /// Its schema.
        found: u64,
        /// The schema that is known.
        known: u64,
    },
    /// `trust.two-forms`: the trust directory has both a `trust.toml` and a root.
    #[error(
        "the trust directory would have both trust.toml and a root, and only one of them may decide; use another \
         directory or remove one of them"
    )]
    TwoForms,
    /// `trust.root-missing`: there is no root that another could follow.
    #[error("no root is installed; begin with `ampoule trust root install`")]
    RootMissing,
    /// `trust.root-installed`: there is a root already, and only its successors may replace it.
    #[error(
        "root version {version} is installed, and only `ampoule trust root update` may replace it"
    )]
    RootInstalled {
        /// The installed root's version.
        version: u64,
    },
    /// `trust.digest`: a root or a revocation list, but not the one that was meant.
    #[error(
        "the digest of the {document} is {found}, expected {expected}; get the right one from its \
         signers"
    )]
    Digest {
        /// The kind of document.
        document: DocumentKind,
        /// The digest that was asked for.
        expected: Sha256Digest,
        /// The document's.
        found: Sha256Digest,
    },
    /// `trust.root-name`: another fleet's root.
    #[error("the root of the fleet {installed:?} is installed, found one of the fleet {found:?}")]
    RootName {
        /// The installed root's name.
        installed: String,
        /// The name of the root that was to replace it.
        found: String,
    },
    /// `trust.root-rollback`: a root that is not newer than the installed one.
    #[error("root version {installed} is installed, and version {found} is not newer")]
    RootRollback {
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
    RootVersion {
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
    RootExpired {
        /// The root's name.
        name: String,
        /// The root's version.
        version: u64,
        /// The end.
        expires: jiff::Timestamp,
        /// The time of the check.
        now: jiff::Timestamp,
    },
    /// `trust.revoked`: a revocation list names the key, the bundle or the component.
    #[error(
        "{what} is revoked{}; ask the publisher for a release without it",
        reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    )]
    Revoked {
        /// The revoked key, manifest or component.
        what: Revoked,
        /// The reason, in the words of the list's signers.
        reason: Option<String>,
    },
    /// `trust.revocations-missing`: nothing is decided without a revocation list, and there is none.
    #[error(
        "there is no revocation list, and without a fresh one nothing is trusted here (strict mode); \
         get the newest and run `ampoule trust revocations update`"
    )]
    RevocationsMissing,
    /// `trust.revocations-expired`: the newest revocation list is too old to be the last word.
    #[error(
        "revocation list {version} expired at {expires}, and it is {now}; get the newest and run \
         `ampoule trust revocations update`"
    )]
    RevocationsExpired {
        /// The list's version.
        version: u64,
        /// The end.
        expires: jiff::Timestamp,
        /// The time of the check.
        now: jiff::Timestamp,
    },
    /// `trust.revocations-rollback`: a revocation list that is not newer than the installed one.
    #[error("revocation list {installed} is installed, and version {found} is not newer")]
    RevocationsRollback {
        /// The installed list's version.
        installed: u64,
        /// The version of the list that was to replace it.
        found: u64,
    },
    /// `trust.revocations-name`: a revocation list for other hosts.
    #[error("expected a revocation list of {expected:?}, found one of {found:?}")]
    RevocationsName {
        /// The name that the trust says.
        expected: String,
        /// The list's.
        found: String,
    },
    /// `trust.revocations-authority`: a revocation list where nobody may sign one.
    #[error(
        "trust.toml names no signers of revocation lists; name them with `ampoule trust revocations signers`"
    )]
    RevocationsAuthority,
}

impl TrustError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => "trust.unknown-key",
            Self::Publisher { .. } => "trust.publisher",
            Self::Model { .. } => "trust.model",
            Self::Threshold { .. } => "trust.threshold",
            Self::Validity { .. } => "trust.validity",
            Self::Identity { .. } => "trust.identity",
            Self::Expired { .. } => "trust.expired",
            Self::Rollback { .. } => "trust.rollback",
            Self::ReleaseReused { .. } => "trust.release-reused",
            Self::ReleasesFull { .. } => "trust.releases-full",
            Self::Owner { .. } => "trust.owner",
            Self::Permissions { .. } => "trust.permissions",
            Self::WeakKey { .. } => "trust.weak-key",
            Self::MalformedKey { .. } => "trust.malformed-key",
            Self::Missing => "trust.missing",
            Self::Malformed { .. } => "trust.malformed",
            Self::Schema { .. } => "trust.schema",
            Self::TwoForms => "trust.two-forms",
            Self::RootMissing => "trust.root-missing",
            Self::RootInstalled { .. } => "trust.root-installed",
            Self::Digest { .. } => "trust.digest",
            Self::RootName { .. } => "trust.root-name",
            Self::RootRollback { .. } => "trust.root-rollback",
            Self::RootVersion { .. } => "trust.root-version",
            Self::RootExpired { .. } => "trust.root-expired",
            Self::Revoked { .. } => "trust.revoked",
            Self::RevocationsMissing => "trust.revocations-missing",
            Self::RevocationsExpired { .. } => "trust.revocations-expired",
            Self::RevocationsRollback { .. } => "trust.revocations-rollback",
            Self::RevocationsName { .. } => "trust.revocations-name",
            Self::RevocationsAuthority => "trust.revocations-authority",
        }
    }
}

const TRUST_ADD: &str = "which this host does not know; if you trust the publisher, add the key with \
                         `ampoule trust add`";

fn trusted_owners(user: u32) -> String {
    if user == 0 {
        return "uid 0".to_owned();
    }
    format!("uid {user} or uid 0")
}

fn about_strangers(document: DocumentKind) -> String {
    match document {
        DocumentKind::Bundle => TRUST_ADD.to_owned(),
        DocumentKind::Root | DocumentKind::Revocations => format!(
            "none of the keys that may sign this {document}; ask those who have them to sign it (`{}`)",
            document.cosign_command()
        ),
    }
}

fn what_is_missing(document: DocumentKind, needed: u32, keys: usize) -> String {
    // A root with fewer keys than its threshold is none, so this is about models.
    if (keys as u64) < u64::from(needed) {
        return "there are too few trusted keys to reach that number; add another (`ampoule trust add`)".to_owned();
    }
    format!(
        "ask for the others' signatures (`{}`)",
        document.cosign_command()
    )
}
