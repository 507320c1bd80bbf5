//! Roots in files: the draft that people edit, and what they signed.

use std::io;
use std::path::Path;

use crate::directory::Directory;
use crate::envelope::MAX_ENVELOPE_BYTES;
use crate::error::{Error, Result};
use crate::permissions::Rule;
use crate::trust_root::{DOCUMENT, Root, SignedRoot};
use crate::trust_root_json::MAX_ROOT_BYTES;
use crate::units::ByteSize;

impl Root {
    /// Reads a draft: its exact bytes, which are what is signed, and what they say.
    ///
    /// # Errors
    ///
    /// What [`Root::parse`] refuses, `trust.permissions` when everybody may change it, `io.failed`.
    pub fn read_file(path: &Path) -> Result<(Vec<u8>, Self)> {
        let bytes = Place::of(path)?.read(MAX_ROOT_BYTES as u64)?;
        let root = Self::parse(&bytes)?;
        Ok((bytes, root))
    }

    /// Writes a draft to a new file.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `io.failed`.
    pub fn write_file(&self, path: &Path) -> Result<()> {
        Place::of(path)?.create(self.to_json()?.as_bytes())
    }

    /// Changes a draft in its file, atomically.
    ///
    /// # Errors
    ///
    /// As [`Root::read_file`], and what `change` returns. The file is then as it was.
    pub fn update_file(path: &Path, change: impl FnOnce(Self) -> Result<Self>) -> Result<Self> {
        let (_, root) = Self::read_file(path)?;
        let root = change(root)?;
        Place::of(path)?.replace(root.to_json()?.as_bytes())?;
        Ok(root)
    }
}

impl SignedRoot {
    /// Reads a signed root's file.
    ///
    /// # Errors
    ///
    /// What [`SignedRoot::parse`] refuses, `trust.permissions` when everybody may change it,
    /// `io.failed`.
    pub fn read_file(path: &Path) -> Result<Self> {
        Self::parse(&Place::of(path)?.read(MAX_ENVELOPE_BYTES)?)
    }

    /// Writes it to a new file: signing anew in place of a file would lose others' signatures.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `io.failed`.
    pub fn write_file(&self, path: &Path) -> Result<()> {
        Place::of(path)?.create(&self.envelope().to_bytes()?)
    }

    /// Changes it in its file, atomically.
    ///
    /// # Errors
    ///
    /// As [`SignedRoot::read_file`], and what `change` returns. The file is then as it was.
    pub fn update_file<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(Self, T)> {
        let mut signed = Self::read_file(path)?;
        let answer = change(&mut signed)?;
        Place::of(path)?.replace(&signed.envelope().to_bytes()?)?;
        Ok((signed, answer))
    }
}

/// A file in its directory.
struct Place<'p> {
    directory: Directory,
    name: &'p str,
}

impl<'p> Place<'p> {
    fn of(path: &'p Path) -> Result<Self> {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| Error::UsageArguments("expected the name of a file".to_owned()))?;
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let directory = Directory::open(parent).map_err(Error::io("open the root's directory"))?;
        Ok(Self { directory, name })
    }

    fn read(&self, max_bytes: u64) -> Result<Vec<u8>> {
        self.directory
            .read_bounded(self.name, max_bytes, Rule::NotWorldWritable)
            .map_err(|error| match error {
                Error::FileMissing { .. } => {
                    Error::io("read the root")(io::ErrorKind::NotFound.into())
                }
                other => other,
            })?
            .map_err(|found| Error::TrustMalformed {
                document: DOCUMENT,
                reason: format!(
                    "expected at most {}, found {}",
                    ByteSize::from_bytes(max_bytes),
                    ByteSize::from_bytes(found)
                ),
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
