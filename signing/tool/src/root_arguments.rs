//! The command line of `root`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use ampoule_command_line::{CapOptions, DelegationOptions, parse_threshold};
use ampoule_signing::{KeyId, ModelPattern, RevocationMode, Timestamp};
use clap::{Args, Subcommand};

use crate::document_arguments::{CosignDocument, NextDraft, SignDraft};

#[derive(Subcommand)]
pub(crate) enum RootCommand {
    /// Write the draft of a first root.
    #[command(
        after_help = "Example:\n  ampoule-sign root init root.json --name production --key ann.pub \\\n    \
                      --key bob.pub --threshold 2 --expires 2027-12-31T00:00:00Z"
    )]
    Init(RootInit),
    /// Trust keys for models, in a draft: changes the delegation for PATTERN or makes it.
    #[command(
        after_help = "Example:\n  ampoule-sign root delegate root.json 'acme/*' --key acme.pub"
    )]
    Delegate(Box<RootDelegate>),
    /// Cap the resources that any model may ask for, whoever signed it, in a draft.
    #[command(after_help = "Example:\n  ampoule-sign root caps root.json --cap-memory 512MiB")]
    Caps(Box<RootCaps>),
    /// Set the signers of revocation lists, in a draft, and the behaviour of hosts without a fresh list.
    #[command(
        after_help = "Example:\n  ampoule-sign root revocation root.json --key duty.pub --mode strict"
    )]
    Revocation(RootRevocation),
    /// Let one more key sign the root, in a draft.
    #[command(after_help = "Example:\n  ampoule-sign root add-key root.json eve.pub --threshold 2")]
    AddKey(RootAddKey),
    /// Take a key out of a draft, out of every role and rule.
    #[command(after_help = "Example:\n  ampoule-sign root remove-key root.json 4f3c…")]
    RemoveKey(RootRemoveKey),
    /// Take the rule about models out of a draft.
    #[command(after_help = "Example:\n  ampoule-sign root remove-delegation root.json 'acme/*'")]
    RemoveDelegation(RootRemoveDelegation),
    /// Make the draft of the next version out of a signed draft.
    #[command(
        after_help = "Example:\n  ampoule-sign root next root.json --expires 2028-12-31T00:00:00Z\n  \
                      ampoule-sign root sign root.json --key ann.key\n  ampoule-sign root cosign \
                      2.root.dsse.json --key bob.key --digest sha256:4f3c…"
    )]
    Next(NextDraft),
    /// Sign a draft: writes VERSION.root.dsse.json beside it.
    #[command(after_help = "Example:\n  ampoule-sign root sign root.json --key ann.key")]
    Sign(SignDraft),
    /// Add a signature to a signed root.
    ///
    /// Shows the root and asks first, or signs only the root with the digest given.
    #[command(
        after_help = "Example:\n  ampoule-sign root cosign 1.root.dsse.json --key bob.key --digest \
                      sha256:4f3c…"
    )]
    Cosign(CosignDocument),
    /// Verify a signed root by its own keys, or as the successor of another.
    #[command(
        after_help = "Example:\n  ampoule-sign root verify 2.root.dsse.json --from \
                      1.root.dsse.json"
    )]
    Verify(RootVerify),
    /// Show a signed root, without verifying it.
    #[command(after_help = "Example:\n  ampoule-sign root inspect 1.root.dsse.json")]
    Inspect(RootInspect),
}

#[derive(Args)]
pub(crate) struct RootInit {
    /// Draft to write. An existing file is never overwritten.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Name of the fleet: a-z, 0-9, and -._ inside. No host follows a root of another name.
    #[arg(long)]
    pub(crate) name: String,
    /// Public key that may sign the root; may be repeated.
    #[arg(long = "key", value_name = "PUBLIC", required = true)]
    pub(crate) keys: Vec<PathBuf>,
    /// Number of these keys that have to sign.
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_threshold)]
    pub(crate) threshold: NonZeroU32,
    /// Last moment at which hosts believe this version, such as 2027-12-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Timestamp,
}

#[derive(Args)]
pub(crate) struct RootDelegate {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Models: PUBLISHER/* or PUBLISHER/MODEL.
    #[arg(value_name = "PATTERN")]
    pub(crate) pattern: ModelPattern,
    /// Public key that may sign them; may be repeated. Those that may already stay.
    #[arg(long = "key", value_name = "PUBLIC")]
    pub(crate) keys: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rule: DelegationOptions,
}

#[derive(Args)]
pub(crate) struct RootCaps {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    #[command(flatten)]
    pub(crate) caps: CapOptions,
}

#[derive(Args)]
pub(crate) struct RootRevocation {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Public key that may sign the list, in place of those that may now; may be repeated.
    #[arg(long = "key", value_name = "PUBLIC")]
    pub(crate) keys: Vec<PathBuf>,
    /// Let the root's own keys sign the list too, as in a new draft.
    #[arg(long, conflicts_with = "keys")]
    pub(crate) by_root_keys: bool,
    /// Behaviour without a fresh list: `strict` hosts trust no model; `permissive` ones, the default, go on with the
    /// revocations of the last list.
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<RevocationMode>,
    /// Number of these keys that have to sign.
    #[arg(long, value_name = "N", default_value = "1", requires = "keys", value_parser = parse_threshold)]
    pub(crate) threshold: NonZeroU32,
}

#[derive(Args)]
pub(crate) struct RootAddKey {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Public key that may sign the root from this version on.
    #[arg(value_name = "PUBLIC")]
    pub(crate) key: PathBuf,
    /// Number of keys that have to sign; by default as many as before.
    #[arg(long, value_name = "N", value_parser = parse_threshold)]
    pub(crate) threshold: Option<NonZeroU32>,
}

#[derive(Args)]
pub(crate) struct RootRemoveKey {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Key's id.
    #[arg(value_name = "KEYID")]
    pub(crate) key_id: KeyId,
}

#[derive(Args)]
pub(crate) struct RootRemoveDelegation {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Models: PUBLISHER/* or PUBLISHER/MODEL. A wider delegation decides about them from then on.
    #[arg(value_name = "PATTERN")]
    pub(crate) pattern: ModelPattern,
}

#[derive(Args)]
pub(crate) struct RootVerify {
    /// Signed root.
    #[arg(value_name = "ROOT")]
    pub(crate) root: PathBuf,
    /// Signed root of the version before, which hosts have installed.
    #[arg(long, value_name = "ROOT")]
    pub(crate) from: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct RootInspect {
    /// Signed root.
    #[arg(value_name = "ROOT")]
    pub(crate) root: PathBuf,
}
