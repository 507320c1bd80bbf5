//! The options of commands that are the same for a root and for a revocation list.

use std::path::PathBuf;

use ampoule_signing::{Sha256Digest, Timestamp, parse_digest};
use clap::Args;

use crate::password::PasswordSource;

#[derive(Args)]
pub(crate) struct NextDraft {
    /// Draft to change.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Last moment at which hosts believe the next version.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Timestamp,
    /// Signed file of the draft, if it is not where `sign` puts it.
    #[arg(long, value_name = "FILE")]
    pub(crate) signed: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct SignDraft {
    /// Draft to sign, as it is.
    #[arg(value_name = "DRAFT")]
    pub(crate) draft: PathBuf,
    /// Private key; may be repeated, and then all have the same password.
    #[arg(long = "key", value_name = "KEY", required = true)]
    pub(crate) keys: Vec<PathBuf>,
    /// File to write, instead of one beside the draft that bears the version in its name. An existing
    /// file is never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Sign the document even when it has expired, so that hosts would not believe it.
    #[arg(long)]
    pub(crate) allow_expired: bool,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

#[derive(Args)]
pub(crate) struct CosignDocument {
    /// File that others have signed.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Private key.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: PathBuf,
    /// Sign the document with this digest and no other, without asking: `sha256:` and 64 digits.
    #[arg(long, value_name = "DIGEST", value_parser = parse_digest)]
    pub(crate) digest: Option<Sha256Digest>,
    /// Sign the document even when it has expired, so that hosts would not believe it.
    #[arg(long)]
    pub(crate) allow_expired: bool,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}
