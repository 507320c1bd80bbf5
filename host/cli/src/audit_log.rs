//! Opens the audit log of a server, by its settings.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ampoule::ByteSize;
use ampoule_audit::{
    Audit, AuditSettings, Disk, MAX_BATCH_BYTES, MAX_ROW_BYTES, Recipients, Writer, WriterSettings,
};
use ampoule_command_line::{about, shown_path};
use ampoule_server::Recorded;
use ampoule_signing::{Timestamp, read_trusted_text};

use crate::age::Age;
use crate::audit_options::{AuditOptions, FailureOption};
use crate::error::Error;
use crate::limit_options::TimeLimit;
use crate::settings::Settings;

/// The largest file of recipients, which is room for more than there may be.
const MAX_RECIPIENTS_FILE: u64 = 64 << 10;
/// Name of the directory of the log's state, in the state directory.
const STATE: &str = "audit";
/// Bytes of rows that are written together: one row at least, and no more than a frame takes.
const BATCH: [u64; 2] = [MAX_ROW_BYTES as u64, MAX_BATCH_BYTES as u64 / 2];
/// Shortest segment, which has room for some batches of a few rows.
const LEAST_SEGMENT: u64 = 64 << 10;
/// Longest time that a row waits for others. A killed process loses as much.
const LONGEST_FLUSH: Duration = Duration::from_secs(60);

/// A log that is written, and the requests that have a row.
pub(crate) struct OpenAudit {
    pub(crate) audit: Arc<Audit>,
    pub(crate) recorded: Recorded,
}

/// Opens the log, if there is to be one, and begins to write.
pub(crate) fn open(
    options: &AuditOptions,
    settings: &Settings,
) -> Result<Option<OpenAudit>, Error> {
    Opening { options, settings }.open()
}

/// The settings by which a log is opened.
struct Opening<'o> {
    options: &'o AuditOptions,
    settings: &'o Settings,
}

impl Opening<'_> {
    fn open(&self) -> Result<Option<OpenAudit>, Error> {
        let Some(directory) = &self.options.directory else {
            return self.check_unused().map(|()| None);
        };
        let place = || self.settings.place_of("audit.directory", "audit");
        let state = self.state_directory(directory)?;
        let recipients = self.recipients()?;
        let (writer_settings, audit_settings) = self.sizes(recipients)?;
        let failed = |error| {
            let error = Error::AuditLog {
                directory: shown_path(directory),
                error,
            };
            error.at(place())
        };
        if self.options.state.is_none()
            && let Some(above) = state.parent()
        {
            // The state directory, as it is made when a release is remembered. What does not do is told below.
            let _ = DirBuilder::new().mode(0o700).create(above);
        }
        let permissions = &self.settings.permissions;
        let disk = Disk::open(permissions.at(directory), permissions.at(&state)).map_err(failed)?;
        let writer = Writer::open(disk, writer_settings, Timestamp::now()).map_err(failed)?;
        let audit = Audit::start(writer, audit_settings).map_err(failed)?;
        Ok(Some(OpenAudit {
            audit: Arc::new(audit),
            recorded: self
                .options
                .record
                .map_or(Recorded::default(), |record| record.0),
        }))
    }

    /// Refuses settings of a log that there is not.
    fn check_unused(&self) -> Result<(), Error> {
        let given = [
            ("recipients", self.options.recipients.is_some()),
            ("recipients-file", self.options.recipients_file.is_some()),
            ("state", self.options.state.is_some()),
            ("on-failure", self.options.on_failure.is_some()),
            ("record", self.options.record.is_some()),
            ("flush-interval", self.options.flush_interval.is_some()),
            ("batch-bytes", self.options.batch_bytes.is_some()),
            ("segment-bytes", self.options.segment_bytes.is_some()),
            ("segment-age", self.options.segment_age.is_some()),
            ("memory-bytes", self.options.memory_bytes.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) => Err(refused(
                self.settings,
                key,
                "there are settings of an audit log, and no directory for one: name it with `directory` under [audit] or \
                 with --audit, or leave the settings out"
                    .to_owned(),
            )),
            None => Ok(()),
        }
    }

    fn state_directory(&self, log: &Path) -> Result<PathBuf, Error> {
        let state = match (&self.options.state, self.settings.state_directory()) {
            (Some(state), _) => state.clone(),
            (None, Some(state)) => state.join(STATE),
            (None, None) => {
                let error = Error::Setting(
                    "the audit log needs a directory for its signing key and its last frame: name one with `state` under \
                     [audit], or name the state directory with --state"
                        .to_owned(),
                );
                return Err(error.at(self.settings.place_of("audit.directory", "audit")));
            }
        };
        // Whoever can change the log should not be able to change what it is held to.
        let (log, state) = (absolute(log), absolute(&state));
        if state.starts_with(&log) || log.starts_with(&state) {
            return Err(refused(
                self.settings,
                "state",
                format!(
                    "the audit log {:?} and its state {:?} are in each other; whoever copies or moves the one would have \
                     the other, so name directories apart",
                    shown_path(&log),
                    shown_path(&state)
                ),
            ));
        }
        Ok(state)
    }

    fn recipients(&self) -> Result<Recipients, Error> {
        match (&self.options.recipients, &self.options.recipients_file) {
            (Some(_), Some(_)) => Err(refused(
                self.settings,
                "recipients-file",
                "recipients are named twice, here and by `recipients`; leave one of both out"
                    .to_owned(),
            )),
            (Some(texts), None) => {
                let place = self
                    .settings
                    .place_of("audit.recipients", "audit-recipients");
                let texts = texts.iter().map(String::as_str);
                Recipients::parse(texts).map_err(|error| Error::Audit(error).at(place))
            }
            (None, Some(path)) => {
                let place = || self.settings.table_place("audit.recipients-file");
                let location = self.settings.permissions.at(path);
                let text =
                    read_trusted_text(location, "the file of recipients", MAX_RECIPIENTS_FILE)
                        .map_err(|error| Error::from(about(path)(error)).at(place()))?;
                let lines = text.lines().map(str::trim);
                let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
                Recipients::parse(lines).map_err(|error| Error::Audit(error).at(place()))
            }
            (None, None) => {
                let error = Error::Setting(
                    "the audit log has no recipients, and nobody could read it: name the public keys of its readers with \
                     `recipients` or `recipients-file` under [audit], or with --audit-recipients; `ampoule audit keygen` \
                     makes a key"
                        .to_owned(),
                );
                Err(error.at(self.settings.place_of("audit.directory", "audit")))
            }
        }
    }

    fn sizes(&self, recipients: Recipients) -> Result<(WriterSettings, AuditSettings), Error> {
        let mut writer = WriterSettings::new(recipients);
        let mut audit = AuditSettings::default();
        let wrong = |key: &str, message: String| Err(refused(self.settings, key, message));
        if let Some(TimeLimit(flush)) = self.options.flush_interval {
            if flush > LONGEST_FLUSH {
                let longest = LONGEST_FLUSH.as_secs();
                return wrong(
                    "flush-interval",
                    format!(
                        "rows may wait for {longest}s at most: a server that is killed loses those that wait"
                    ),
                );
            }
            audit.flush_interval = flush;
        }
        if let Some(batch) = self.options.batch_bytes {
            let [least, most] = BATCH.map(ByteSize::from_bytes);
            if batch < least || batch > most {
                return wrong(
                    "batch-bytes",
                    format!("{least} to {most} are expected, and {batch} are set"),
                );
            }
            audit.batch_bytes = batch;
        }
        if let Some(segment) = self.options.segment_bytes {
            let least = ByteSize::from_bytes(LEAST_SEGMENT).max(audit.batch_bytes);
            if segment < least {
                return wrong(
                    "segment-bytes",
                    format!(
                        "{least} at least are expected, as rows of one batch ({}) go into one segment, and {segment} are \
                         set",
                        audit.batch_bytes
                    ),
                );
            }
            writer.segment_bytes = segment;
        }
        if let Some(memory) = self.options.memory_bytes {
            let row = ByteSize::from_bytes(MAX_ROW_BYTES as u64);
            let least = ByteSize::from_bytes(2 * audit.batch_bytes.bytes());
            if memory < least {
                return wrong(
                    "memory-bytes",
                    format!(
                        "{least} at least are expected, twice batch-bytes, since rows come while others are written; each \
                         running request holds {row} of it, and {memory} are set"
                    ),
                );
            }
            audit.memory = memory;
        }
        if let Some(Age(age)) = self.options.segment_age {
            writer.segment_age = age;
        }
        if let Some(FailureOption(on_failure)) = self.options.on_failure {
            audit.on_failure = on_failure;
        }
        Ok((writer, audit))
    }
}

/// Makes the error of a value that cannot be.
fn refused(settings: &Settings, key: &str, message: String) -> Error {
    let place = settings.table_place(&format!("audit.{key}"));
    Error::Setting(message).at(place)
}

/// Returns a path from the root, without links as far as it is there.
fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut there = path.as_path();
    loop {
        if let Ok(real) = there.canonicalize() {
            let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
            return if rest.as_os_str().is_empty() {
                real
            } else {
                real.join(rest)
            };
        }
        match there.parent() {
            Some(above) => there = above,
            None => return path,
        }
    }
}
