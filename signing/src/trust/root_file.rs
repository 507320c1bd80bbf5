//! Roots in files: the draft that people edit, and what they signed.

use std::io;

use crate::directory::Directory;
use crate::document_kind::DocumentKind;
use crate::envelope::MAX_ENVELOPE_BYTES;
use crate::error::{Error, Result};
use crate::key::SecretKey;
use crate::permission_policy::Location;
use crate::permissions::Rule;
use crate::trust::error::TrustError;
use crate::trust::root::{DOCUMENT, Root, SignedRoot};
use crate::trust::root_json::MAX_ROOT_BYTES;
use crate::units::ByteSize;

impl Root {
    /// Reads a draft: its exact bytes, which are what is signed, and what they say.
    ///
    /// # Errors
    ///
    /// What [`Root::parse`] refuses, `trust.owner` and `trust.permissions` when others may change it or a
    /// directory above it, `io.failed`.
    pub fn read_file<'p>(location: impl Into<Location<'p>>) -> Result<(Vec<u8>, Self)> {
        let bytes = FileInDirectory::of(&location.into())?.read(MAX_ROOT_BYTES as u64)?;
        let root = Self::parse(&bytes)?;
        Ok((bytes, root))
    }

    /// Writes a draft to a new file.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `io.failed`.
    pub fn write_file<'p>(&self, location: impl Into<Location<'p>>) -> Result<()> {
        FileInDirectory::of(&location.into())?.create(self.to_json()?.as_bytes())
    }

    /// Changes a draft in its file, atomically.
    ///
    /// # Errors
    ///
    /// As [`Root::read_file`], and what `change` returns. The file is then as it was.
    pub fn update_file<'p>(
        location: impl Into<Location<'p>>,
        change: impl FnOnce(Self) -> Result<Self>,
    ) -> Result<Self> {
        let place = FileInDirectory::of(&location.into())?;
        let _lock = place.lock()?;
        let root = change(Self::parse(&place.read(MAX_ROOT_BYTES as u64)?)?)?;
        place.replace(root.to_json()?.as_bytes())?;
        Ok(root)
    }
}

impl SignedRoot {
    /// Reads a signed root's file.
    ///
    /// # Errors
    ///
    /// What [`SignedRoot::parse`] refuses, `trust.owner` and `trust.permissions` when others may change it
    /// or a directory above it, `io.failed`.
    pub fn read_file<'p>(location: impl Into<Location<'p>>) -> Result<Self> {
        Self::parse(&FileInDirectory::of(&location.into())?.read(MAX_ENVELOPE_BYTES)?)
    }

    /// Reads several, and puts them in the order of their versions, whatever that of the files is (by
    /// name, 10 comes before 2). Those that cannot be read come first.
    pub fn read_files<'p, L: Into<Location<'p>>>(
        locations: impl IntoIterator<Item = L>,
    ) -> Vec<Result<Self>> {
        let mut roots: Vec<Result<Self>> = locations.into_iter().map(Self::read_file).collect();
        roots.sort_by_cached_key(|root| {
            let root = root.as_ref().ok()?.unverified_root().ok()?;
            Some(root.version())
        });
        roots
    }

    /// Writes it to a new file: signing anew in place of a file would lose others' signatures.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `io.failed`.
    pub fn write_file<'p>(&self, location: impl Into<Location<'p>>) -> Result<()> {
        FileInDirectory::of(&location.into())?.create(&self.envelope().to_bytes()?)
    }

    /// Adds the signature of `key` in its file, atomically, if `review` lets what would be signed pass.
    /// The root that `review` gets is, byte for byte, the one that is signed then. Signatures that
    /// others added meanwhile are kept.
    ///
    /// # Errors
    ///
    /// As [`SignedRoot::read_file`] and [`SignedRoot::cosign`], what `review` returns, and
    /// `usage.changed` when the root was changed during the review. The file is then as it was.
    pub fn cosign_file<'p>(
        location: impl Into<Location<'p>>,
        key: &SecretKey,
        review: impl FnOnce(&Self, &Root) -> Result<()>,
    ) -> Result<(Self, Root)> {
        let place = FileInDirectory::of(&location.into())?;
        let reviewed = Self::parse(&place.read(MAX_ENVELOPE_BYTES)?)?;
        review(&reviewed, &reviewed.unverified_root()?)?;
        // A person may take their time, and others need not wait for them.
        let _lock = place.lock()?;
        let mut signed = Self::parse(&place.read(MAX_ENVELOPE_BYTES)?)?;
        if signed.digest() != reviewed.digest() {
            return Err(Error::UsageChanged {
                document: DocumentKind::Root,
            });
        }
        let root = signed.cosign(key)?;
        place.replace(&signed.envelope().to_bytes()?)?;
        Ok((signed, root))
    }
}

/// A file in its directory.
struct FileInDirectory<'p> {
    directory: Directory,
    name: &'p str,
}

impl<'p> FileInDirectory<'p> {
    fn of(location: &Location<'p>) -> Result<Self> {
        let (directory, name) =
            Directory::open_parent(location, Rule::NotWorldWritable, "the root's file")?;
        Ok(Self { directory, name })
    }

    fn lock(&self) -> Result<std::fs::File> {
        self.directory
            .lock()
            .map_err(Error::io("lock the root's directory"))
    }

    fn read(&self, max_bytes: u64) -> Result<Vec<u8>> {
        self.directory
            .read_bounded(self.name, max_bytes)
            .map_err(|error| match error {
                Error::FileMissing { .. } => {
                    Error::io("read the root")(io::ErrorKind::NotFound.into())
                }
                other => other,
            })?
            .map_err(|found| {
                Error::Trust(TrustError::Malformed {
                    document: DOCUMENT,
                    reason: format!(
                        "expected at most {}, found {}",
                        ByteSize::from_bytes(max_bytes),
                        ByteSize::from_bytes(found)
                    ),
                })
            })
    }

    fn create(&self, bytes: &[u8]) -> Result<()> {
        self.directory
            .create(self.name, bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Error::IoExists {
                    what: "the root's file",
                },
                _ => Error::io("write the root")(error),
            })
    }

    fn replace(&self, bytes: &[u8]) -> Result<()> {
        self.directory
            .replace(self.name, bytes, 0o644)
            .map_err(Error::io("write the root"))
    }
}
