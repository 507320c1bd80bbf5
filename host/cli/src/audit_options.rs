//! Options of a server's audit log.

use std::path::PathBuf;
use std::str::FromStr;

use ampoule::ByteSize;
use ampoule_audit::OnFailure;
use ampoule_server::Recorded;
use clap::Args;
use serde::Deserialize;

use crate::age::Age;
use crate::config_value::{from_text, texts};
use crate::limit_options::TimeLimit;

/// Each setting that is given. In the file they are under `[audit]`.
#[derive(Debug, Default, Clone, Args, Deserialize)]
#[command(next_help_heading = "Audit log")]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AuditOptions {
    /// Directory of an audit log of all requests, encrypted to recipients and signed; `directory` under `[audit]` in the
    /// configuration file, which has more settings. By default there is none.
    #[arg(
        id = "audit",
        long = "audit",
        value_name = "DIR",
        env = "AMPOULE_AUDIT"
    )]
    pub(crate) directory: Option<PathBuf>,

    /// Public keys of those who may read the audit log, such as age1…, which `ampoule audit keygen` prints; commas
    /// separate them.
    #[arg(
        id = "audit-recipients",
        long = "audit-recipients",
        value_name = "RECIPIENT",
        env = "AMPOULE_AUDIT_RECIPIENTS",
        value_delimiter = ','
    )]
    #[serde(default, deserialize_with = "texts")]
    pub(crate) recipients: Option<Vec<String>>,

    #[arg(skip)]
    pub(crate) recipients_file: Option<PathBuf>,
    #[arg(skip)]
    pub(crate) state: Option<PathBuf>,
    #[arg(skip)]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) on_failure: Option<FailureOption>,
    #[arg(skip)]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) record: Option<RecordOption>,
    #[arg(skip)]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) flush_interval: Option<TimeLimit>,
    #[arg(skip)]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) batch_bytes: Option<ByteSize>,
    #[arg(skip)]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) segment_bytes: Option<ByteSize>,
    #[arg(skip)]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) segment_age: Option<Age>,
    #[arg(skip)]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) memory_bytes: Option<ByteSize>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct FailureOption(pub(crate) OnFailure);

impl FromStr for FailureOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "refuse" => Ok(Self(OnFailure::Refuse)),
            "continue" => Ok(Self(OnFailure::Continue)),
            _ => Err(format!(
                "`refuse` or `continue` is expected, found `{}`",
                ampoule::harmless_text(text)
            )),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordOption(pub(crate) Recorded);

impl FromStr for RecordOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(Recorded::All)),
            "denied" => Ok(Self(Recorded::Denied)),
            _ => Err(format!(
                "`all` or `denied` is expected, found `{}`",
                ampoule::harmless_text(text)
            )),
        }
    }
}

impl AuditOptions {
    /// Returns these settings, and those of `file` where these have none. Recipients of the command line stand in for a
    /// file of recipients, too.
    pub(crate) fn or(self, file: Self) -> Self {
        let recipients_file = file.recipients_file.filter(|_| self.recipients.is_none());
        Self {
            directory: self.directory.or(file.directory),
            recipients: self.recipients.or(file.recipients),
            recipients_file,
            ..file
        }
    }
}
