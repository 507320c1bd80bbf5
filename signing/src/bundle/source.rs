//! The three places that a bundle's files may be in: a directory, one packed file, or memory. Each gives the
//! envelope, and the files once they were compared with the manifest.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sha2::Digest as _;

use crate::bundle::archive::Archive;
use crate::bundle::envelope::ENVELOPE_FILE;
use crate::bundle::envelope::{Envelope, MAX_ENVELOPE_BYTES};
use crate::bundle::file_reader::{FileRegion, check_verified, copy_verified, read_verified};
use crate::bundle::manifest::{FileEntry, Manifest};
use crate::files::directory::Directory;
use crate::files::file_stamp::FileStamp;
use crate::files::permission_policy::Location;
use crate::files::permissions::Rule;
use crate::files::progress::Progress;
use crate::values::digest::{FileDigest, Sha256Digest};
use crate::values::error::{Error, Result};
use ampoule_units::ByteSize;

/// The contents of a bundle's files by their paths, as the manifest spells them.
pub(crate) type Files = BTreeMap<String, Bytes>;

/// A bundle's files.
#[derive(Debug)]
pub(crate) enum Source {
    Directory(Directory),
    Archive(Archive),
    Memory(Files),
}

impl Source {
    /// Opens the directory or the packed bundle at `location`, and reads the envelope.
    pub(crate) fn open(location: &Location<'_>) -> Result<(Self, Envelope)> {
        match open_directory(location) {
            Ok(directory) => {
                let envelope = read_envelope(&directory)?;
                Ok((Self::Directory(directory), envelope))
            }
            Err(error) => match error.io_kind() {
                Some(io::ErrorKind::NotFound) => Err(Error::EnvelopeMissing { found: "nothing" }),
                Some(io::ErrorKind::NotADirectory) => {
                    let archive = Archive::open(location)?;
                    let envelope = Envelope::parse(archive.envelope())?;
                    Ok((Self::Archive(archive), envelope))
                }
                _ => Err(error),
            },
        }
    }

    /// Reads some of a manifest's files, or all of them, and compares them with the manifest.
    ///
    /// # Errors
    ///
    /// `file.*`, `trust.owner`, `trust.permissions`, `io.failed`.
    pub(crate) fn read<'a>(
        &self,
        manifest: &Manifest,
        entries: impl Iterator<Item = &'a FileEntry>,
        max_size: ByteSize,
    ) -> Result<Files> {
        let entries: Vec<_> = entries.collect();
        check_total(entries.iter().copied(), max_size)?;
        let contents = match self {
            Self::Memory(files) => entries
                .iter()
                .map(|entry| checked(files, entry).cloned())
                .collect::<Result<_>>()?,
            _ => {
                let opener = self.opener(manifest)?;
                read_verified(&entries, self.progress(), |entry| opener.open(entry))?
            }
        };
        let paths = entries.iter().map(|entry| entry.path().to_owned());
        Ok(paths.zip(contents).collect())
    }

    /// Compares some of a manifest's files with the manifest, without keeping any in memory.
    ///
    /// # Errors
    ///
    /// As [`Source::read`].
    pub(crate) fn check<'a>(
        &self,
        manifest: &Manifest,
        entries: impl Iterator<Item = &'a FileEntry>,
    ) -> Result<()> {
        let entries: Vec<_> = entries.collect();
        match self {
            Self::Memory(files) => entries
                .iter()
                .try_for_each(|entry| checked(files, entry).map(drop)),
            _ => {
                let opener = self.opener(manifest)?;
                check_verified(&entries, self.progress(), |entry| opener.open(entry))
            }
        }
    }

    /// Returns the digest of all the component's bytes. The manifest of a large component has only digests of chunks.
    /// The bytes are compared with the manifest on the way.
    ///
    /// # Errors
    ///
    /// As [`Source::read`].
    pub(crate) fn component_digest(&self, manifest: &Manifest) -> Result<Sha256Digest> {
        let component = manifest.component();
        if let FileDigest::Sha256(digest) = component.digest() {
            return Ok(*digest);
        }
        if let Self::Memory(files) = self {
            return Ok(Sha256Digest::of(checked(files, component)?));
        }
        let region = self.opener(manifest)?.open(component)?;
        let mut hasher = sha2::Sha256::new();
        copy_verified(component, &region, self.progress(), |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        Ok(Sha256Digest::of_hasher(hasher))
    }

    /// Returns an opener for the files of a manifest, on disk.
    ///
    /// # Errors
    ///
    /// `file.archive` for a packed bundle that is not as its manifest says, `io.failed`.
    pub(crate) fn opener(&self, manifest: &Manifest) -> Result<Opener<'_>> {
        Ok(match self {
            Self::Directory(directory) => Opener::Directory(directory),
            Self::Archive(archive) => Opener::Archive(archive.regions(manifest)?),
            Self::Memory(_) => return Err(Error::Internal("a bundle in memory")),
        })
    }

    /// Returns the counter of bytes read from the bundle's files.
    pub(crate) fn progress(&self) -> &Progress {
        static NOBODY: LazyLock<Progress> = LazyLock::new(Progress::default);
        match self {
            Self::Directory(directory) => directory.progress(),
            Self::Archive(archive) => archive.progress(),
            Self::Memory(_) => &NOBODY,
        }
    }

    /// Returns stamps of some of a manifest's files. A file that cannot be opened has none.
    pub(crate) fn stamp<'a>(&self, entries: impl Iterator<Item = &'a FileEntry>) -> FilesStamp {
        FilesStamp(match self {
            Self::Directory(directory) => entries
                .map(|entry| {
                    let (file, _) = directory.open_file(entry.path()).ok()?;
                    Some(FileStamp::of(&file.into_std().metadata().ok()?))
                })
                .collect(),
            Self::Archive(archive) => vec![archive.stamp()],
            Self::Memory(_) => Vec::new(),
        })
    }
}

/// The system's metadata of a bundle's files, without their content. A bundle that was refused is worth another look
/// when its stamp has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesStamp(Vec<Option<FileStamp>>);

/// Opens a bundle's directory, signed or not.
pub(crate) fn open_directory(location: &Location<'_>) -> Result<Directory> {
    Directory::open(location, Rule::NotWorldWritable, "the bundle")
}

/// Refuses a directory in which not all files of a manifest lie as the manifest says. No file is kept in memory.
pub(crate) fn check_directory(
    directory: &Directory,
    manifest: &Manifest,
    max_size: ByteSize,
) -> Result<()> {
    let entries: Vec<_> = manifest.all_files().collect();
    check_total(entries.iter().copied(), max_size)?;
    check_verified(&entries, directory.progress(), |entry| {
        region(directory, entry)
    })
}

/// Refuses more than may be read into memory, all files together.
pub(crate) fn check_total<'a>(
    entries: impl Iterator<Item = &'a FileEntry>,
    max_size: ByteSize,
) -> Result<()> {
    let total = entries.fold(0u64, |sum, entry| sum.saturating_add(entry.size().bytes()));
    if total > max_size.bytes() {
        return Err(Error::FileTooLarge {
            found: ByteSize::from_bytes(total),
            allowed: max_size,
        });
    }
    Ok(())
}

/// Reads the envelope of a bundle's directory.
pub(crate) fn read_envelope(directory: &Directory) -> Result<Envelope> {
    let bytes = directory
        .read_bounded(ENVELOPE_FILE, MAX_ENVELOPE_BYTES)
        .map_err(|error| match error {
            Error::FileMissing { .. } => Error::EnvelopeMissing {
                found: "a directory without it",
            },
            other => other,
        })?
        .map_err(|found| Error::EnvelopeTooLarge {
            found: ByteSize::from_bytes(found),
            allowed: ByteSize::from_bytes(MAX_ENVELOPE_BYTES),
        })?;
    Envelope::parse(&bytes)
}

/// Opens a file of a directory, and refuses one of another length than the manifest's.
fn region(directory: &Directory, entry: &FileEntry) -> Result<FileRegion> {
    let (file, metadata) = directory.open_file(entry.path())?;
    check_size(entry, metadata.len())?;
    Ok(FileRegion {
        file: Arc::new(file.into_std()),
        start: 0,
        to_the_end: true,
    })
}

/// Opens the files of a bundle on disk one by one, when they are needed: there may be more of them than a process may
/// have open.
pub(crate) enum Opener<'s> {
    Directory(&'s Directory),
    Archive(BTreeMap<String, FileRegion>),
}

impl Opener<'_> {
    /// Returns the open file that holds a file's content, and the content's place in it.
    ///
    /// # Errors
    ///
    /// `file.missing`, `file.symlink`, `file.type`, `file.size`, `trust.owner`, `trust.permissions`, `io.failed`.
    pub(crate) fn open(&self, entry: &FileEntry) -> Result<FileRegion> {
        match self {
            Self::Directory(directory) => region(directory, entry),
            Self::Archive(regions) => {
                let region = regions.get(entry.path()).cloned();
                region.ok_or(Error::Internal("a packed file"))
            }
        }
    }
}

/// Looks up a file in memory and compares it with the manifest.
fn checked<'f>(files: &'f Files, entry: &FileEntry) -> Result<&'f Bytes> {
    let bytes = files.get(entry.path()).ok_or_else(|| Error::FileMissing {
        path: entry.path().to_owned(),
    })?;
    check_size(entry, bytes.len() as u64)?;
    if entry.digest().verify(bytes) {
        Ok(bytes)
    } else {
        Err(Error::FileDigest {
            path: entry.path().to_owned(),
        })
    }
}

fn check_size(entry: &FileEntry, found: u64) -> Result<()> {
    if found == entry.size().bytes() {
        return Ok(());
    }
    Err(Error::FileSize {
        path: entry.path().to_owned(),
        expected: entry.size(),
        found: ByteSize::from_bytes(found),
    })
}
