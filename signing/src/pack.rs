//! Packing a bundle's directory into one file, and unpacking it.

use std::io::{self, Write};
use std::path::Path;

use crate::archive::{END, header, padding_of};
use crate::bundle::{DEFAULT_MAX_BUNDLE_SIZE, ENVELOPE_FILE};
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::permission_policy::Location;
use crate::source::Source;

/// Packs the bundle in `dir` into one new file that a host runs as it is.
///
/// Only the envelope and what its manifest names go into it, each file once it was read and compared with
/// the manifest; nothing is verified about who signed. The same bundle gives the same bytes, wherever and
/// whenever it is packed.
///
/// # Errors
///
/// `io.exists` when there is such a file already; `envelope.*`, `manifest.*`, `file.*`,
/// `trust.owner`, `trust.permissions`, `io.failed`. There is then no new file.
pub fn pack_directory<'p>(dir: impl Into<Location<'p>>, file: &Path) -> Result<Manifest> {
    let (source, envelope) = Source::open(&dir.into())?;
    let manifest = Manifest::parse(envelope.payload())?;
    let files = source.read(&manifest, manifest.all_files(), DEFAULT_MAX_BUNDLE_SIZE)?;
    let envelope = envelope.to_bytes()?;
    let mut members = vec![(ENVELOPE_FILE, &envelope[..])];
    for entry in manifest.all_files() {
        let bytes = files.get(entry.path()).ok_or(Error::Internal("a file"))?;
        members.push((entry.path(), bytes));
    }
    // Refused before anything is written.
    let headers = members
        .iter()
        .map(|(path, bytes)| header(path, bytes.len() as u64))
        .collect::<Result<Vec<_>>>()?;
    let (directory, name) = Directory::open_parent_unchecked(file, "the packed bundle")?;
    directory
        .create_with(name, |file| {
            for (header, (_, bytes)) in headers.iter().zip(&members) {
                file.write_all(header)?;
                file.write_all(bytes)?;
                file.write_all(&END[..padding_of(bytes.len() as u64)])?;
            }
            file.write_all(&END)
        })
        .map_err(creating("the packed bundle"))?;
    Ok(manifest)
}

/// Unpacks a packed bundle into a new directory.
///
/// Only the envelope and what its manifest names is written, each file once it was compared with the
/// manifest; nothing is verified about who signed.
///
/// # Errors
///
/// `io.exists` when there is such a directory already; `envelope.*`, `manifest.*`, `file.*`,
/// `trust.owner`, `trust.permissions`, `io.failed`. There is then no new directory.
pub fn unpack_file<'p>(file: impl Into<Location<'p>>, dir: &Path) -> Result<Manifest> {
    let (source, envelope) = Source::open(&file.into())?;
    let manifest = Manifest::parse(envelope.payload())?;
    let files = source.read(&manifest, manifest.all_files(), DEFAULT_MAX_BUNDLE_SIZE)?;
    let envelope = envelope.to_bytes()?;
    let (parent, name) = Directory::open_parent_unchecked(dir, "the bundle's directory")?;
    parent
        .create_directory(name, |directory| {
            for (path, bytes) in &files {
                directory.create_below(path, bytes)?;
            }
            // Last: a directory without it is no bundle.
            directory.create(ENVELOPE_FILE, &envelope)
        })
        .map_err(creating("the bundle's directory"))?;
    Ok(manifest)
}

fn creating(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::IoExists { what },
        _ => Error::io(format!("write {what}"))(error),
    }
}
