//! `ampoule audit`: audit logs, for those who check and read them.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ampoule_audit::{
    Anchor, AuditKey, Identity, LogDirectory, MAX_AUDIT_KEY_BYTES, MAX_HEAD_BYTES,
    MAX_IDENTITY_BYTES, Marks, ReadRow, Report, Row, Rows, Short, anchor_of_head, verify,
};
use ampoule_command_line::about;
use ampoule_signing::{PermissionPolicy, read_private_text, text};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::audit_arguments::{
    AuditAction, AuditCommand, ExportOptions, ReadOptions, ShowOptions, VerifyOptions,
};
use crate::audit_password::PasswordOption;
use crate::error::Error;
use crate::output;
use crate::settings::Settings;

/// Bytes of a file of anchors that are read, which is room for one a minute of half a year.
const MAX_ANCHORS_BYTES: u64 = 64 << 20;

pub(crate) fn run(command: AuditCommand, settings: &Settings, json: bool) -> Result<(), Error> {
    let permissions = &settings.permissions;
    match command.action {
        AuditAction::Keygen {
            file,
            plain,
            password,
        } => keygen(&file, plain, &password, permissions, json),
        AuditAction::Verify(options) => {
            let report = checked(&options)?;
            if json {
                return output::json(&report_json(&report));
            }
            output::write(&report_text(&report))
        }
        AuditAction::Anchor(options) => {
            let report = checked(&options)?;
            if json {
                return output::json(&json!({ "anchor": report.last.to_string() }));
            }
            output::write(&format!("{}\n", report.last))
        }
        AuditAction::Show(options) => show(&options, permissions, json),
        AuditAction::Export(options) => export(&options, permissions, json),
    }
}

fn keygen(
    path: &Path,
    plain: bool,
    password: &PasswordOption,
    permissions: &PermissionPolicy,
    json: bool,
) -> Result<(), Error> {
    let identity = Identity::generate();
    let file = if plain {
        identity.to_file()
    } else {
        let password = password.choose(permissions)?;
        Zeroizing::new(identity.to_encrypted_file(&password)?)
    };
    create(path)
        .and_then(|mut created| {
            created.write_all(&file)?;
            created.sync_all()
        })
        .map_err(|error| unwritten(path, &error))?;
    let recipient = identity.recipient();
    if json {
        return output::json(&json!({ "recipient": recipient }));
    }
    output::write(&format!("{recipient}\n"))?;
    output::note(
        "keep the file away from the server, which needs the recipient only; without the file nobody reads the log",
    );
    Ok(())
}

fn checked(options: &VerifyOptions) -> Result<Report, Error> {
    let log = LogDirectory::new(&options.log);
    Ok(verify(&log, &marks(options)?)?)
}

fn show(options: &ShowOptions, permissions: &PermissionPolicy, json: bool) -> Result<(), Error> {
    let mut newest = VecDeque::new();
    let most = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let report = each_row(&options.read, permissions, |read| {
        if is_wanted(&read.row.row, options) {
            if newest.len() == most {
                newest.pop_front();
            }
            newest.push_back(read);
        }
        Ok(())
    })?;
    if json {
        let rows: Result<Vec<Value>, _> = newest
            .iter()
            .map(|read| serde_json::from_str(&read.line))
            .collect();
        let rows = rows.map_err(|_| Error::Internal("a row"))?;
        return output::json(&json!({ "rows": rows, "log": report_json(&report) }));
    }
    output::write(&newest.iter().map(row_text).collect::<String>())
}

fn export(
    options: &ExportOptions,
    permissions: &PermissionPolicy,
    json: bool,
) -> Result<(), Error> {
    let Some(path) = &options.output else {
        if json {
            return Err(Error::Setting(
                "rows on standard output are no one document, as --json asks for; name a file with --output".to_owned(),
            ));
        }
        each_row(&options.read, permissions, |read| {
            output::write(&format!("{}\n", read.line))
        })?;
        return Ok(());
    };
    let failed = |error| unwritten(path, &error);
    let mut file = BufWriter::new(create(path).map_err(failed)?);
    let read = each_row(&options.read, permissions, |read| {
        file.write_all(read.line.as_bytes()).map_err(failed)?;
        file.write_all(b"\n").map_err(failed)
    });
    // Rows before a fault are as they were written.
    file.flush().map_err(failed)?;
    file.get_ref().sync_all().map_err(failed)?;
    let report = read?;
    if json {
        return output::json(&report_json(&report));
    }
    output::write(&report_text(&report))
}

/// Reads all rows of a log that is verified on the way.
fn each_row(
    options: &ReadOptions,
    permissions: &PermissionPolicy,
    mut take: impl FnMut(ReadRow) -> Result<(), Error>,
) -> Result<Report, Error> {
    let marks = marks(&options.log)?;
    let identity = identity(options, permissions)?;
    let log = LogDirectory::new(&options.log.log);
    let mut rows = Rows::new(&log, &marks, &identity)?;
    for row in rows.by_ref() {
        take(row?)?;
    }
    Ok(rows.report()?)
}

fn marks(options: &VerifyOptions) -> Result<Marks, Error> {
    let mut marks = Marks {
        root: None,
        anchors: options.anchor.clone(),
        first_segment: Some(options.from),
    };
    if let Some(path) = &options.key {
        if options.from > 1 {
            return Err(Error::Setting(
                "--key is the key of file 1 and says nothing of a log that begins later; with --from, name anchors instead"
                    .to_owned(),
            ));
        }
        let key = AuditKey::from_pem(&read_text(path, MAX_AUDIT_KEY_BYTES)?);
        marks.root = Some(key.map_err(|error| unread(path, &error))?);
    }
    if let Some(path) = &options.anchor_file {
        let text = read_text(path, MAX_ANCHORS_BYTES)?;
        // A file to which the lines of a log are appended again and again has most of them many times.
        let lines: BTreeSet<_> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        for line in lines {
            let anchor: Result<Anchor, _> = line.parse();
            marks
                .anchors
                .push(anchor.map_err(|error| unread(path, &error))?);
        }
    }
    if let Some(path) = &options.head {
        let text = read_text(path, MAX_HEAD_BYTES)?;
        let anchor = anchor_of_head(text.as_bytes());
        marks
            .anchors
            .push(anchor.map_err(|error| unread(path, &error))?);
    }
    Ok(marks)
}

fn identity(options: &ReadOptions, permissions: &PermissionPolicy) -> Result<Identity, Error> {
    let path = &options.identity;
    let file = read_identity(path, permissions)?;
    let password = if Identity::is_encrypted_file(&file) {
        Some(options.password.get(permissions)?)
    } else {
        None
    };
    let password = password.as_ref().map(|password| password.as_str());
    Ok(Identity::from_file(&file, password)?)
}

/// Reads an identity's file. An encrypted one is no text, and worth nothing to others.
fn read_identity(path: &Path, permissions: &PermissionPolicy) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = read_bytes(path, MAX_IDENTITY_BYTES)?;
    if Identity::is_encrypted_file(&file) {
        return Ok(file);
    }
    let location = permissions.at(path);
    let text = read_private_text(location, "the identity", MAX_IDENTITY_BYTES);
    let text = text.map_err(about(path))?;
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}

fn read_bytes(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| unread(path, &error))?;
    if bytes.len() as u64 > most {
        return Err(unread(path, &format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

fn read_text(path: &Path, most: u64) -> Result<String, Error> {
    let bytes = read_bytes(path, most)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unread(path, &"it is no text"))?;
    Ok(text.to_owned())
}

/// Makes a new file that only its owner reads.
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

fn unread(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Read {
        what: ampoule_command_line::shown_path(path),
        reason: reason.to_string(),
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    Error::WriteFile {
        what: ampoule_command_line::shown_path(path),
        reason: error.to_string(),
    }
}

fn is_wanted(row: &Row, options: &ShowOptions) -> bool {
    let who = row.who.as_ref();
    let is = |field: Option<&Short>, wanted: &Option<String>| {
        wanted
            .as_ref()
            .is_none_or(|wanted| field.is_some_and(|field| field.as_str() == wanted))
    };
    options.since.is_none_or(|since| row.time >= since)
        && options.until.is_none_or(|until| row.time < until)
        && is(who.and_then(|who| who.name.as_ref()), &options.who)
        && is(who.and_then(|who| who.tenant.as_ref()), &options.tenant)
        && is(
            row.model.as_ref().and_then(|model| model.name.as_ref()),
            &options.model,
        )
        && (!options.denied || row.decision == Some(ampoule_audit::Decision::Deny))
}

/// Describes a row in a line, in which a caller's words cannot begin another.
fn row_text(read: &ReadRow) -> String {
    let row = &read.row.row;
    let who = row.who.clone().unwrap_or_default();
    let model = row.model.as_ref().and_then(|model| model.name.as_ref());
    let status = row.status.map(|status| status.to_string());
    let lost = row.lost_rows.map(|rows| format!("{rows} rows are missing"));
    let torn = row
        .torn_bytes
        .map(|bytes| format!("{bytes} bytes of an unfinished frame were cut off"));
    let event = serde_json::to_value(row.event).unwrap_or_default();
    let fields = [
        event.as_str(),
        status.as_deref(),
        row.reason.as_ref().map(Short::as_str),
        who.tenant.as_ref().map(Short::as_str),
        who.name.as_ref().map(Short::as_str),
        row.method.as_ref().map(Short::as_str),
        row.route.as_ref().map(Short::as_str),
        model.map(Short::as_str),
        row.outcome.as_ref().map(Short::as_str),
        lost.as_deref(),
        torn.as_deref(),
    ];
    let fields: Vec<_> = fields.into_iter().flatten().map(text::line).collect();
    format!(
        "{:>8}  {}  {}\n",
        read.row.number,
        row.time,
        fields.join("  ")
    )
}

fn report_text(report: &Report) -> String {
    let end = match (report.is_closed, report.unfinished_bytes) {
        (true, _) => "the last writer ended by itself".to_owned(),
        (false, 0) => "a writer is at it, or was killed".to_owned(),
        (false, bytes) => {
            format!("a writer is at it, or was killed: {bytes} bytes of a frame were not finished")
        }
    };
    let anchors = match report.anchors {
        0 => "no anchor: frames may be missing at the end".to_owned(),
        count => format!("{count} anchors met"),
    };
    format!(
        "{} rows in {} frames of {} segments from file {} on, from {} to {}\n{end}\n{anchors}\n{}\n",
        report.rows,
        report.frames,
        report.segments,
        report.first_segment,
        report.first_time,
        report.last_time,
        report.last
    )
}

fn report_json(report: &Report) -> Value {
    json!({
        "rows": report.rows,
        "frames": report.frames,
        "segments": report.segments,
        "first_segment": report.first_segment,
        "first_time": report.first_time,
        "last_time": report.last_time,
        "is_closed": report.is_closed,
        "unfinished_bytes": report.unfinished_bytes,
        "anchors": report.anchors,
        "anchor": report.last.to_string(),
    })
}
