//! The file of remembered releases. It is read as a stream: of a file with hundreds of thousands of models, only the
//! selected ones are kept in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, BufWriter, Read as _, Write};

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::bundle::names::check_identity;
use crate::files::directory::Directory;
use crate::trust::seen_release::SeenRelease;
use crate::values::digest::parse_digest;
use crate::values::error::{Error, Result};
use crate::values::json::{self, MAX_INTEGER, ReadError, Value};
use crate::values::trust_error::TrustError;
use ampoule_units::ByteSize;
use ampoule_units::text;

/// The longest file that is read, and written. A publisher's own is at most a megabyte; the one that earlier
/// versions kept for all publishers could grow a little over 32 MiB.
const MAX_RELEASES_BYTES: u64 = 64 << 20;
/// The version of the file's format.
const SCHEMA: u64 = 1;
/// Name of the file in messages.
const DOCUMENT: &str = "the memory of releases (releases.PUBLISHER.json in the state directory; put back a copy of it)";

/// Selection of a file's models.
pub(crate) enum Selection<'s> {
    /// All models.
    All,
    /// All models, which have to be this publisher's.
    AllOf { publisher: &'s str },
    /// All models of this publisher.
    Of { publisher: &'s str },
    /// One, and how many of the publisher's there are. With `publisher_only`, there may be no others.
    One {
        publisher: &'s str,
        publisher_only: bool,
        model: &'s str,
        models: &'s mut usize,
    },
}

impl Selection<'_> {
    /// Returns whether the model of this name, and of this publisher, is kept.
    fn take(&mut self, name: &str, of: &str) -> json::Result<bool> {
        let is_of = |publisher: &str| of == publisher;
        let stranger =
            || ReadError::field(text::name(name), "expected models of one publisher only");
        match self {
            Self::All => Ok(true),
            Self::AllOf { publisher } if !is_of(publisher) => Err(stranger()),
            Self::AllOf { .. } => Ok(true),
            Self::Of { publisher } => Ok(is_of(publisher)),
            Self::One {
                publisher,
                publisher_only,
                model: wanted,
                models,
            } => {
                if is_of(publisher) {
                    **models += 1;
                } else if *publisher_only {
                    return Err(stranger());
                }
                Ok(name == *wanted)
            }
        }
    }
}

/// Reads the selected models of a file; `None` when there is no such file.
///
/// # Errors
///
/// `trust.owner`, `trust.permissions`, `trust.malformed`, `trust.schema`, `file.symlink`, `file.type`,
/// `io.failed`.
pub(crate) fn read(
    directory: &Directory,
    name: &str,
    selection: Selection<'_>,
) -> Result<Option<BTreeMap<String, SeenRelease>>> {
    let (file, metadata) = match directory.open_file(name) {
        Ok(opened) => opened,
        Err(Error::FileMissing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if metadata.len() > MAX_RELEASES_BYTES {
        return Err(malformed(format!(
            "expected at most {}, found {}",
            ByteSize::from_bytes(MAX_RELEASES_BYTES),
            ByteSize::from_bytes(metadata.len())
        )));
    }
    // The file may grow after the look at its length: the bound is on what is read.
    let mut reader = BufReader::with_capacity(64 * 1024, file.take(MAX_RELEASES_BYTES));
    parse(&mut reader, selection).map(Some)
}

fn malformed(reason: String) -> Error {
    Error::Trust(TrustError::Malformed {
        document: DOCUMENT,
        reason,
    })
}

fn parse(
    reader: &mut impl io::Read,
    mut selection: Selection<'_>,
) -> Result<BTreeMap<String, SeenRelease>> {
    let mut found = Found::default();
    let document = Document {
        selection: &mut selection,
        found: &mut found,
    };
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let read = document
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    // Another schema explains whatever else is not as expected.
    if let Some(schema) = found.schema.filter(|found| *found != SCHEMA) {
        return Err(Error::Trust(TrustError::Schema {
            document: DOCUMENT,
            found: schema,
            known: SCHEMA,
        }));
    }
    match read {
        Err(error) if error.is_io() => Err(Error::io("read the releases")(error.into())),
        Err(error) => Err(malformed(text::sentence(&error.to_string()))),
        Ok(()) => Ok(found.releases),
    }
}

#[derive(Default)]
struct Found {
    schema: Option<u64>,
    releases: BTreeMap<String, SeenRelease>,
}

/// The whole document: an object with `schema` and `releases`, each once.
struct Document<'a, 's> {
    selection: &'a mut Selection<'s>,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `schema` and `releases`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut has_releases = false;
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "schema" if self.found.schema.is_none() => {
                    let schema = members.next_value::<Value>()?.integer("schema");
                    self.found.schema = Some(schema.map_err(said)?);
                }
                "releases" if !has_releases => {
                    has_releases = true;
                    members.next_value_seed(Releases {
                        selection: &mut *self.selection,
                        found: &mut *self.found,
                    })?;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    let name = text::name(&name);
                    return Err(A::Error::custom(format!(
                        "the field `{name}`: unknown, or there twice"
                    )));
                }
            }
        }
        if self.found.schema.is_none() || !has_releases {
            return Err(A::Error::custom("`schema` or `releases` is missing"));
        }
        Ok(())
    }
}

/// The member `releases`: an object by `publisher/name`.
struct Releases<'a, 's> {
    selection: &'a mut Selection<'s>,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Releases<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Releases<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object by `publisher/name`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            // In words only where something is wrong: there may be hundreds of thousands.
            let field = || format!("releases.{}", text::name(&name));
            let publisher = publisher_of(&name)
                .ok_or_else(|| said(ReadError::field(field(), "expected `publisher/name`")))?;
            let is_kept = self.selection.take(&name, publisher).map_err(said)?;
            let release = members.next_value_seed(Entry)?;
            let release = release.map_err(|reason| said(ReadError::field(field(), reason)))?;
            if !is_kept {
                continue;
            }
            if self.found.releases.contains_key(&name) {
                return Err(said(ReadError::field(field(), "there twice")));
            }
            self.found.releases.insert(name, release);
        }
        Ok(())
    }
}

fn said<E: serde::de::Error>(error: ReadError) -> E {
    E::custom(match error {
        ReadError::Field { field, reason } => format!("the field `{field}`: {reason}"),
        ReadError::Malformed { reason } => reason,
        ReadError::Other(error) => error.to_string(),
    })
}

/// Returns the publisher in `publisher/name`; `None` for text that is no name of one model.
fn publisher_of(model: &str) -> Option<&str> {
    let (publisher, name) = model.split_once('/')?;
    let is_name = |name| check_identity(name).is_ok();
    (is_name(publisher) && is_name(name)).then_some(publisher)
}

/// Entry of one model: an object with `release` and mostly `manifest`, each once. The inner error describes a fault
/// of the entry.
struct Entry;

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = Result<SeenRelease, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entry {
    type Value = Result<SeenRelease, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `release` and `manifest`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut release, mut manifest) = (None, None);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "release" if release.is_none() => release = Some(members.next_value::<u64>()?),
                "manifest" if manifest.is_none() => {
                    // In the spelling that is written, or with `sha256:` before it.
                    match parse_digest(&members.next_value::<String>()?) {
                        Ok(digest) => manifest = Some(digest),
                        Err(error) => return Ok(Err(error.to_string())),
                    }
                }
                _ => {
                    let name = text::name(&name);
                    return Ok(Err(format!("`{name}` is unknown, or there twice")));
                }
            }
        }
        Ok(match release {
            Some(release) if (1..=MAX_INTEGER).contains(&release) => {
                Ok(SeenRelease { release, manifest })
            }
            Some(release) => Err(format!(
                "expected a release from 1 to {MAX_INTEGER}, found {release}"
            )),
            None => Err("`release` is missing".to_owned()),
        })
    }
}

/// The file's content.
#[derive(Debug, Serialize)]
struct Content<'r> {
    schema: u64,
    /// By publisher and name: `acme/minilm`.
    releases: &'r BTreeMap<String, SeenRelease>,
}

fn write_to(mut to: impl Write, releases: &BTreeMap<String, SeenRelease>) -> io::Result<()> {
    let content = Content {
        schema: SCHEMA,
        releases,
    };
    serde_json::to_writer_pretty(&mut to, &content)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// Returns whether the file with these releases would be short enough to be read again.
pub(crate) fn is_readable(releases: &BTreeMap<String, SeenRelease>) -> Result<bool> {
    struct Length(u64);

    impl Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len() as u64);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut length = Length(0);
    write_to(&mut length, releases).map_err(|_| Error::Internal("the releases"))?;
    Ok(length.0 <= MAX_RELEASES_BYTES)
}

/// Puts a file with these releases into place, whole or not at all.
pub(crate) fn write(
    directory: &Directory,
    name: &str,
    releases: &BTreeMap<String, SeenRelease>,
) -> Result<()> {
    directory
        .replace_with(name, 0o600, |file| write_to(BufWriter::new(file), releases))
        .map_err(Error::io("write the releases"))
}
