//! Reading a manifest from the exact bytes that were signed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use semver::Version;

use crate::bundle::contract_version::ContractVersion;
use crate::bundle::manifest::{FileEntry, MAX_MANIFEST_BYTES, Manifest, SCHEMA};
use crate::bundle::names::{check_identity, check_interface, check_path};
use crate::values::digest::FileDigest;
use crate::values::error::Error;
use crate::values::json::{Fields, ReadError, Result, Value, list, parsed, timestamp};
use ampoule_units::text;
use ampoule_units::{Budget, ByteSize, Fuel, SandboxBudgets};

/// The most tasks, and the most capabilities, that one manifest names. The contract has five tasks.
const MAX_INTERFACES: usize = 32;
/// The longest version, in bytes.
const MAX_VERSION_BYTES: usize = 128;
/// The longest key of an annotation, in bytes.
const MAX_ANNOTATION_KEY_BYTES: usize = 128;

impl Manifest {
    /// Parses and checks a manifest.
    ///
    /// # Errors
    ///
    /// `manifest.too-large` over [`MAX_MANIFEST_BYTES`]; `manifest.malformed` when it is not strict
    /// JSON (a repeated key, a number above 2^53 − 1 or with a fraction, bytes after the end);
    /// `manifest.field` for a missing, unknown or wrong field; `manifest.path` for a path that could
    /// leave the bundle or collide with another.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(Error::ManifestTooLarge {
                found: ByteSize::from_bytes(bytes.len() as u64),
                allowed: ByteSize::from_bytes(MAX_MANIFEST_BYTES as u64),
            });
        }
        Self::read(bytes).map_err(|error| match error {
            ReadError::Malformed { reason } => Error::ManifestMalformed { reason },
            ReadError::Field { field, reason } => Error::ManifestField { field, reason },
            ReadError::Other(error) => error,
        })
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields::of(Value::parse(bytes)?, "")?;
        // First: a later schema may have anything else.
        let schema = fields.required("schema", schema)?;
        let manifest = Self {
            schema,
            publisher: fields.required("publisher", identity)?,
            name: fields.required("name", identity)?,
            version: fields.required("version", version)?,
            release: fields.required("release", Value::positive)?,
            created: fields.required("created", timestamp)?,
            not_after: fields.optional("not_after", timestamp)?,
            contract: fields.required("contract", parsed::<ContractVersion>)?,
            tasks: fields.required("tasks", interfaces)?,
            component: fields.required("component", file_entry)?,
            files: fields.required("files", |value, field| list(value, field, file_entry))?,
            capabilities: fields.required("capabilities", interfaces)?,
            limits: fields.required("limits", limits)?,
            annotations: fields.required("annotations", annotations)?,
            license: fields.optional("license", line)?,
            source: fields.optional("source", line)?,
            description: fields.optional("description", paragraph)?,
        };
        fields.finish()?;
        manifest.check_whole()?;
        Ok(manifest)
    }

    /// The rules that concern more than one field.
    fn check_whole(&self) -> Result<()> {
        if self.tasks.is_empty() {
            return Err(ReadError::field(
                "tasks",
                "expected at least one task, found none",
            ));
        }
        if self
            .not_after
            .is_some_and(|not_after| not_after <= self.created)
        {
            return Err(ReadError::field(
                "not_after",
                "expected a time after `created`",
            ));
        }
        if self.component.size.bytes() == 0 {
            return Err(ReadError::field(
                "component.size",
                "expected a number above 0, found 0",
            ));
        }
        self.all_files()
            .try_fold(0u64, |total, file| total.checked_add(file.size.bytes()))
            .ok_or_else(|| ReadError::field("files", "the sizes add up to more than a u64"))?;
        self.check_paths()
    }

    /// Refuses paths that could not all lie in one directory on every file system.
    fn check_paths(&self) -> Result<()> {
        let refused = |path: &str, reason: &str| {
            ReadError::Other(Error::ManifestPath {
                path: path.to_owned(),
                reason: reason.to_owned(),
            })
        };
        // Without case: on a file system that ignores it, two such paths are one file.
        let mut seen = BTreeSet::new();
        for FileEntry { path, .. } in self.all_files() {
            if !seen.insert(path.to_ascii_lowercase()) {
                let reason = "expected each path once, upper and lower case alike";
                return Err(refused(path, reason));
            }
        }
        // What holds others is a directory. A packed bundle has none, and could not be unpacked.
        for path in &seen {
            let mut parents = path.match_indices('/').map(|(at, _)| &path[..at]);
            if let Some(file) = parents.find(|parent| seen.contains(*parent)) {
                let reason = format!("there is a file {file:?} already, in which nothing can lie");
                return Err(refused(path, &reason));
            }
        }
        Ok(())
    }
}

fn schema(value: Value, field: &str) -> Result<u64> {
    match value.integer(field)? {
        SCHEMA => Ok(SCHEMA),
        other => Err(ReadError::field(
            field,
            format!("expected {SCHEMA}, found {other}; a newer Ampoule may read it"),
        )),
    }
}

fn identity(value: Value, field: &str) -> Result<String> {
    let name = value.string(field)?;
    check_identity(&name).map_err(|reason| {
        ReadError::field(field, format!("{reason}, found {:?}", text::name(&name)))
    })?;
    Ok(name)
}

fn version(value: Value, field: &str) -> Result<Version> {
    let text = value.string(field)?;
    Version::parse(&text)
        .ok()
        .filter(|version| text.len() <= MAX_VERSION_BYTES && version.to_string() == text)
        .ok_or_else(|| {
            let found = text::name(&text);
            ReadError::field(
                field,
                format!("expected a semantic version such as 1.0.0, found {found:?}"),
            )
        })
}

fn interfaces(value: Value, field: &str) -> Result<Vec<String>> {
    let names = list(value, field, |item, field| {
        let name = item.string(field)?;
        check_interface(&name).map_err(|reason| {
            ReadError::field(field, format!("{reason}, found {:?}", text::name(&name)))
        })?;
        Ok(name)
    })?;
    if names.len() > MAX_INTERFACES {
        return Err(ReadError::field(
            field,
            format!("expected at most {MAX_INTERFACES} names"),
        ));
    }
    if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        return Err(ReadError::field(field, "expected each name once"));
    }
    Ok(names)
}

fn file_entry(value: Value, field: &str) -> Result<FileEntry> {
    let mut fields = Fields::of(value, field)?;
    let path = fields.required("path", |value, field| {
        let path = value.string(field)?;
        check_path(&path).map_err(|reason| Error::ManifestPath {
            path: text::name(&path),
            reason,
        })?;
        Ok(path)
    })?;
    let size = fields.required("size", Value::integer)?;
    let digest = fields.required("digest", |value, field| file_digest(value, field, size))?;
    fields.finish()?;
    Ok(FileEntry {
        path,
        size: ByteSize::from_bytes(size),
        digest,
    })
}

fn file_digest(value: Value, field: &str, size: u64) -> Result<FileDigest> {
    let mut fields = Fields::of(value, field)?;
    let whole = fields.optional("sha256", parsed)?;
    let chunks = fields.optional("sha256_chunks", |value, field| {
        let mut fields = Fields::of(value, field)?;
        let chunk_size = fields.required("chunk_size", Value::positive)?;
        let digests = fields.required("digests", |value, field| list(value, field, parsed))?;
        fields.finish()?;
        let expected = size.div_ceil(chunk_size);
        if digests.len() as u64 != expected {
            return Err(ReadError::field(
                field,
                format!(
                    "expected {expected} digests for this size, found {}",
                    digests.len()
                ),
            ));
        }
        Ok(FileDigest::Sha256Chunks {
            chunk_size,
            digests,
        })
    })?;
    fields.finish()?;
    match (whole, chunks) {
        (Some(digest), None) => Ok(FileDigest::Sha256(digest)),
        (None, Some(chunks)) => Ok(chunks),
        _ => Err(ReadError::field(
            field,
            "expected either `sha256` or `sha256_chunks`",
        )),
    }
}

fn limits(value: Value, field: &str) -> Result<SandboxBudgets> {
    let mut fields = Fields::of(value, field)?;
    let limits = SandboxBudgets {
        request: budget(&mut fields)?,
        output: fields.required("output_bytes", bytes)?,
        init: fields.required("init", |value, field| {
            let mut fields = Fields::of(value, field)?;
            let init = budget(&mut fields)?;
            fields.finish()?;
            Ok(init)
        })?,
    };
    fields.finish()?;
    Ok(limits)
}

fn budget(fields: &mut Fields) -> Result<Budget> {
    Ok(Budget {
        memory: fields.required("memory_bytes", bytes)?,
        fuel: fields.required("fuel", fuel)?,
        deadline: fields.required("deadline_ms", milliseconds)?,
    })
}

fn bytes(value: Value, field: &str) -> Result<ByteSize> {
    value.positive(field).map(ByteSize::from_bytes)
}

fn fuel(value: Value, field: &str) -> Result<Fuel> {
    value.positive(field).map(Fuel::new)
}

fn milliseconds(value: Value, field: &str) -> Result<Duration> {
    value.positive(field).map(Duration::from_millis)
}

fn annotations(value: Value, field: &str) -> Result<BTreeMap<String, String>> {
    value
        .object(field)?
        .into_iter()
        .map(|(key, value)| {
            if key.is_empty()
                || key.len() > MAX_ANNOTATION_KEY_BYTES
                || !key.bytes().all(|byte| byte.is_ascii_graphic())
            {
                let wanted = format!("expected keys of 1 to {MAX_ANNOTATION_KEY_BYTES} ASCII");
                return Err(ReadError::field(
                    field,
                    format!("{wanted} letters, digits or signs"),
                ));
            }
            let text = paragraph(value, &format!("{field}.{key}"))?;
            Ok((key, text))
        })
        .collect()
}

/// Text for people that stays on its line.
fn line(value: Value, field: &str) -> Result<String> {
    text(value, field, |_| false)
}

/// Text for people that may have several lines.
fn paragraph(value: Value, field: &str) -> Result<String> {
    text(value, field, |c| c == '\n' || c == '\t')
}

/// No control characters: People read these texts, perhaps on a terminal.
fn text(value: Value, field: &str, allowed: impl Fn(char) -> bool) -> Result<String> {
    let text = value.string(field)?;
    if text.chars().any(|c| c.is_control() && !allowed(c)) {
        return Err(ReadError::field(
            field,
            "expected text without control characters",
        ));
    }
    Ok(text)
}
