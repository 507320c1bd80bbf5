//! The command line of `ampoule audit`.

use std::path::PathBuf;

use ampoule_audit::Anchor;
use ampoule_signing::{ParseError, Timestamp};
use clap::{Args, Subcommand};

use crate::audit_password::PasswordOption;

#[derive(Debug, Args)]
pub(crate) struct AuditCommand {
    #[command(subcommand)]
    pub(crate) action: AuditAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Make an identity that reads audit logs, and print the recipient that they are encrypted to. Make it on the
    /// auditor's machine: a server needs the recipient only.
    #[command(
        after_help = "Example:\n  ampoule audit keygen auditor.key\n\nWithout a password, for a program:\n  ampoule audit \
                      keygen --plain auditor.key"
    )]
    Keygen {
        /// New file of the identity, as `age` reads it.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Write it without a password: whoever can read the file can read the logs.
        #[arg(long, conflicts_with = "password_file")]
        plain: bool,
        #[command(flatten)]
        password: PasswordOption,
    },
    /// Check that a log is as it was written: every frame, in order, signed. No identity is needed. Frames that were
    /// taken off the end are found with an anchor only.
    #[command(
        after_help = "Example:\n  ampoule audit verify log --key audit.pub --anchor-file anchors\n\nOn the server, against \
                      its own note of the last frame:\n  ampoule audit verify log --key audit.pub --head state/head"
    )]
    Verify(VerifyOptions),
    /// Show the newest rows of a log that was verified on the way.
    #[command(
        after_help = "Example:\n  ampoule audit show log --key audit.pub --identity auditor.key --denied\n\nOne tenant's \
                      rows of a day:\n  ampoule audit show log --key audit.pub --identity auditor.key \\\n    --tenant \
                      acme --since 2026-11-30T00:00:00Z --until 2026-12-01T00:00:00Z"
    )]
    Show(Box<ShowOptions>),
    /// Write all rows of a log that is verified on the way, a JSON document a line, and stop at the first fault.
    #[command(
        after_help = "Example:\n  ampoule audit export log --key audit.pub --identity auditor.key --output rows.jsonl"
    )]
    Export(Box<ExportOptions>),
    /// Print the last frame of a log as an anchor, after checking the log. Keep the line on another machine: a log that
    /// is later cut or put back does not fit to it.
    #[command(after_help = "Example:\n  ampoule audit anchor log --key audit.pub >> anchors")]
    Anchor(VerifyOptions),
}

/// Log, and everything that is known of it from elsewhere.
#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// Directory of the log, or a copy of it.
    #[arg(value_name = "DIR")]
    pub(crate) log: PathBuf,
    /// Public key of the log's first file: a copy of the log's file audit.pub from when it was new.
    #[arg(
        id = "audit-key",
        long = "key",
        value_name = "FILE",
        required_unless_present_any = ["anchor", "anchor_file"]
    )]
    pub(crate) key: Option<PathBuf>,
    /// Anchor that was noted before, the six words in one argument; may be repeated. Each must be met.
    #[arg(long, value_name = "ANCHOR", value_parser = parse_anchor)]
    pub(crate) anchor: Vec<Anchor>,
    /// File with anchors, one a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) anchor_file: Option<PathBuf>,
    /// The file `head` of the server's state: its own note of the last frame.
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Option<PathBuf>,
    /// First file to check, by the number in its name, where the files before it were moved away. Needs an anchor of
    /// that file instead of --key; anchors of the files before are not looked for. A missing beginning that is not
    /// named so is a fault.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: u64,
}

/// Log, and the identity that reads it.
#[derive(Debug, Args)]
pub(crate) struct ReadOptions {
    #[command(flatten)]
    pub(crate) log: VerifyOptions,
    /// File of an identity of one of the recipients.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: PathBuf,
    #[command(flatten)]
    pub(crate) password: PasswordOption,
}

#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    #[command(flatten)]
    pub(crate) read: ReadOptions,
    /// Rows of this time and later.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) since: Option<Timestamp>,
    /// Rows before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) until: Option<Timestamp>,
    /// Rows of the caller with this name, such as the name of an API key.
    #[arg(long, value_name = "NAME")]
    pub(crate) who: Option<String>,
    /// Rows of this tenant.
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    /// Rows about the model that is served under this name.
    #[arg(id = "row-model", long = "model", value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Rows of refused requests.
    #[arg(long)]
    pub(crate) denied: bool,
    /// Rows to show at most: the newest.
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ExportOptions {
    #[command(flatten)]
    pub(crate) read: ReadOptions,
    /// New file for the rows. By default they go to standard output, which is not possible with --json.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

fn parse_anchor(text: &str) -> Result<Anchor, ParseError> {
    text.parse()
}

fn parse_time(text: &str) -> Result<Timestamp, ParseError> {
    text.parse()
        .map_err(|_| ParseError("expected a time such as 2026-11-30T00:00:00Z".to_owned()))
}
