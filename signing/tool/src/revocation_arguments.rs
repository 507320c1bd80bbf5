//! The command line of `revocations`.

use std::path::PathBuf;

use ampoule_signing::{KeyId, Revoked, Sha256Digest, Timestamp, parse_digest};
use clap::{Args, Subcommand};

use crate::document_arguments::{CosignDocument, NextDraft, SignDraft};

#[derive(Subcommand)]
pub(crate) enum RevocationCommand {
    /// Write the draft of a first list, which revokes nothing.
    #[command(
        after_help = "Example:\n  ampoule-sign revocations init revocations.json --name production \
                      --expires 2027-01-31T00:00:00Z"
    )]
    Init(RevocationInit),
    /// Revoke keys, bundles and components, in a draft.
    #[command(
        after_help = "Example:\n  ampoule-sign revocations add revocations.json --key-id 4f3c… \
                      --reason 'stolen on a train'"
    )]
    Add(RevocationAdd),
    /// Take something off the list, in a draft.
    #[command(
        after_help = "Example:\n  ampoule-sign revocations remove revocations.json --key-id 4f3c…"
    )]
    Remove(RevocationRemove),
    /// Make the draft of the next version out of a signed draft.
    #[command(
        after_help = "Example:\n  ampoule-sign revocations next revocations.json --expires \
                      2027-02-28T00:00:00Z"
    )]
    Next(NextDraft),
    /// Sign a draft: writes VERSION.revocations.dsse.json beside it.
    #[command(
        after_help = "Example:\n  ampoule-sign revocations sign revocations.json --key duty.key"
    )]
    Sign(SignDraft),
    /// Add a signature to a signed list.
    ///
    /// Shows the list and asks first, or signs only the list with the digest given.
    #[command(
        after_help = "Example:\n  ampoule-sign revocations cosign 1.revocations.dsse.json --key \
                      bob.key --digest sha256:4f3c…"
    )]
    Cosign(CosignDocument),
    /// Show a signed list, without verifying it.
    #[command(after_help = "Example:\n  ampoule-sign revocations inspect 1.revocations.dsse.json")]
    Inspect(RevocationInspect),
}

#[derive(Args)]
pub(crate) struct RevocationInit {
    /// Draft to write. An existing file is never overwritten.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Name of the hosts that the list is for: that of their root, or the one in their trust.toml.
    #[arg(long)]
    pub(crate) name: String,
    /// Last moment at which hosts take the list for the newest, such as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Timestamp,
}

#[derive(Args)]
pub(crate) struct RevocationAdd {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    #[command(flatten)]
    pub(crate) what: RevokedOptions,
    /// Reason, in one line. It is shown to everybody who asks for such a model.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Args)]
pub(crate) struct RevocationRemove {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    #[command(flatten)]
    pub(crate) what: RevokedOptions,
}

#[derive(Args)]
pub(crate) struct RevocationInspect {
    /// Signed list.
    #[arg(value_name = "LIST")]
    pub(crate) list: PathBuf,
}

/// Things that are revoked, or no longer are.
#[derive(Args)]
#[group(required = true, multiple = true, id = "what")]
pub(crate) struct RevokedOptions {
    /// Key, whose signatures under models then count for nothing; may be repeated.
    #[arg(long = "key-id", value_name = "KEYID", group = "what")]
    keys: Vec<KeyId>,
    /// Bundle, by its manifest's digest, as `ampoule-sign inspect` shows it; may be repeated.
    #[arg(long = "manifest", value_name = "DIGEST", value_parser = parse_digest, group = "what")]
    manifests: Vec<Sha256Digest>,
    /// Component, by the digest of its bytes, as `sha256sum` shows it; may be repeated.
    #[arg(long = "component", value_name = "DIGEST", value_parser = parse_digest, group = "what")]
    components: Vec<Sha256Digest>,
}

impl RevokedOptions {
    pub(crate) fn all(&self) -> impl Iterator<Item = Revoked> {
        let keys = self.keys.iter().copied().map(Revoked::Key);
        let manifests = self.manifests.iter().copied().map(Revoked::Manifest);
        let components = self.components.iter().copied().map(Revoked::Component);
        keys.chain(manifests).chain(components)
    }
}
