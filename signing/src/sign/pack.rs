//! Packing a bundle's directory into one file, and unpacking it.
//!
//! Each file is read once, piece by piece. The bytes that are written are the ones that were hashed, and a bundle may
//! be larger than the machine's memory.

use std::io::Write;
use std::path::Path;

use crate::bundle::archive::{END, header, padding_of};
use crate::bundle::envelope::ENVELOPE_FILE;
use crate::bundle::file_reader::copy_verified;
use crate::bundle::manifest::Manifest;
use crate::bundle::source::{Source, check_total};
use crate::bundle::unverified::DEFAULT_MAX_BUNDLE_SIZE;
use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::sign::file_rules::FileRules;
use crate::sign::secrets;
use crate::values::error::{Error, Result};

/// Name of the packed bundle in messages.
const PACKED: &str = "the packed bundle";
const UNPACKED: &str = "the bundle's directory";

/// Packs the bundle in `dir` into one new file, which a host runs as it is.
///
/// Only the envelope and the manifest's files go into it, each once it was compared with the manifest. No signature
/// is verified. The same bundle gives the same bytes, wherever and whenever it is packed.
///
/// # Errors
///
/// `io.exists` when there is such a file already; `usage.secret` when the manifest names what looks like a
/// secret; `envelope.*`, `manifest.*`, `file.*`, `trust.owner`, `trust.permissions`, `io.failed`. There is then
/// no new file.
pub fn pack_directory<'p>(dir: impl Into<Location<'p>>, file: &Path) -> Result<Manifest> {
    pack_directory_by(dir, file, &FileRules::default())
}

/// Packs as [`pack_directory`] does, by rules. Only those for secrets count: the signed manifest names the files.
///
/// # Errors
///
/// As [`pack_directory`].
pub fn pack_directory_by<'p>(
    dir: impl Into<Location<'p>>,
    file: &Path,
    rules: &FileRules,
) -> Result<Manifest> {
    let (source, envelope) = Source::open(&dir.into())?;
    let manifest = Manifest::parse(envelope.payload())?;
    check_total(manifest.all_files(), DEFAULT_MAX_BUNDLE_SIZE)?;
    let opener = source.opener(&manifest)?;
    secrets::refuse(manifest.all_files(), &opener, rules)?;
    let envelope = envelope.to_bytes()?;
    // Refused before anything is written.
    let envelope_header = header(ENVELOPE_FILE, envelope.len() as u64)?;
    let headers = manifest
        .all_files()
        .map(|entry| header(entry.path(), entry.size().bytes()))
        .collect::<Result<Vec<_>>>()?;
    let (directory, name) = Directory::open_parent_unchecked(file, PACKED)?;
    directory.create_with(name, PACKED, |file| {
        let write = |file: &mut cap_std::fs::File, bytes: &[u8]| {
            let written = file.write_all(bytes);
            written.map_err(Error::io(format!("write {PACKED}")))
        };
        write(file, &envelope_header)?;
        write(file, &envelope)?;
        write(file, &END[..padding_of(envelope.len() as u64)])?;
        for (header, entry) in headers.iter().zip(manifest.all_files()) {
            write(file, header)?;
            let region = opener.open(entry)?;
            copy_verified(entry, &region, source.progress(), |piece| {
                write(file, piece)
            })?;
            write(file, &END[..padding_of(entry.size().bytes())])?;
        }
        write(file, &END)
    })?;
    Ok(manifest)
}

/// Unpacks a packed bundle into a new directory.
///
/// Only the envelope and the manifest's files are written, each once it was compared with the manifest. No signature
/// is verified.
///
/// # Errors
///
/// `io.exists` when there is such a directory already; `envelope.*`, `manifest.*`, `file.*`,
/// `trust.owner`, `trust.permissions`, `io.failed`. There is then no new directory.
pub fn unpack_file<'p>(file: impl Into<Location<'p>>, dir: &Path) -> Result<Manifest> {
    let (source, envelope) = Source::open(&file.into())?;
    let manifest = Manifest::parse(envelope.payload())?;
    check_total(manifest.all_files(), DEFAULT_MAX_BUNDLE_SIZE)?;
    let opener = source.opener(&manifest)?;
    let envelope = envelope.to_bytes()?;
    let (parent, name) = Directory::open_parent_unchecked(dir, UNPACKED)?;
    parent.create_directory(name, UNPACKED, |directory| {
        for entry in manifest.all_files() {
            let region = opener.open(entry)?;
            directory.create_below(entry.path(), UNPACKED, |file| {
                copy_verified(entry, &region, source.progress(), |piece| {
                    let written = file.write_all(piece);
                    written.map_err(Error::io(format!("write {UNPACKED}")))
                })
            })?;
        }
        // Last: a directory without it is no bundle.
        directory
            .create(ENVELOPE_FILE, &envelope)
            .map_err(Error::io(format!("write {UNPACKED}")))
    })?;
    Ok(manifest)
}
