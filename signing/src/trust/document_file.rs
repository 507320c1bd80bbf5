//! Files of documents: the draft that people edit, and the signed document.

use std::io;

use crate::bundle::envelope::MAX_ENVELOPE_BYTES;
use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::files::permissions::Rule;
use crate::keys::key::SecretKey;
use crate::trust::signed::{Document, MAX_DOCUMENT_BYTES, Signed};
use crate::values::error::{Error, Result};
use crate::values::trust_error::TrustError;
use ampoule_units::ByteSize;

/// Reads a draft. Returns its exact bytes, which are the ones that are signed, and the parsed document.
///
/// # Errors
///
/// Those of [`Document::parse`]; `trust.owner` and `trust.permissions` when others may change the file or a directory
/// above it; `io.failed`.
pub fn read_draft<'p, D: Document>(location: impl Into<Location<'p>>) -> Result<(Vec<u8>, D)> {
    let bytes = DocumentFile::of::<D>(&location.into())?.read(MAX_DOCUMENT_BYTES as u64)?;
    let document = D::parse(&bytes)?;
    Ok((bytes, document))
}

/// Writes a draft to a new file.
///
/// # Errors
///
/// `io.exists` when there is such a file already, `io.failed`.
pub fn write_draft<'p, D: Document>(location: impl Into<Location<'p>>, document: &D) -> Result<()> {
    DocumentFile::of::<D>(&location.into())?.create(document.to_json()?.as_bytes())
}

/// Changes a draft in its file, atomically.
///
/// # Errors
///
/// As [`read_draft`], and the error of `change`. The file is then as it was.
pub fn update_draft<'p, D: Document>(
    location: impl Into<Location<'p>>,
    change: impl FnOnce(D) -> Result<D>,
) -> Result<D> {
    let file = DocumentFile::of::<D>(&location.into())?;
    let _lock = file.lock()?;
    let document = change(D::parse(&file.read(MAX_DOCUMENT_BYTES as u64)?)?)?;
    file.replace(document.to_json()?.as_bytes())?;
    Ok(document)
}

impl<D: Document> Signed<D> {
    /// Reads a signed document's file.
    ///
    /// # Errors
    ///
    /// Those of [`Signed::parse`]; `trust.owner` and `trust.permissions` when others may change the file or a
    /// directory above it; `io.failed`.
    pub fn read_file<'p>(location: impl Into<Location<'p>>) -> Result<Self> {
        Self::parse(&DocumentFile::of::<D>(&location.into())?.read(MAX_ENVELOPE_BYTES)?)
    }

    /// Reads several files and sorts them by the documents' versions: by name, 10 would come before 2. Files that
    /// cannot be read come first.
    pub fn read_files<'p, L: Into<Location<'p>>>(
        locations: impl IntoIterator<Item = L>,
    ) -> Vec<Result<Self>> {
        Self::in_order(locations.into_iter().map(Self::read_file))
    }

    /// Sorts documents by their versions. Those that could not be read come first.
    #[must_use]
    pub fn in_order(all: impl IntoIterator<Item = Result<Self>>) -> Vec<Result<Self>> {
        let mut all: Vec<Result<Self>> = all.into_iter().collect();
        all.sort_by_cached_key(|one| {
            let document = one.as_ref().ok()?.unverified().ok()?;
            Some(document.version())
        });
        all
    }

    /// Writes the document to a new file. An existing file is never replaced: it may hold others' signatures.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is such a file already, `io.failed`.
    pub fn write_file<'p>(&self, location: impl Into<Location<'p>>) -> Result<()> {
        DocumentFile::of::<D>(&location.into())?.create(&self.envelope().to_bytes()?)
    }

    /// Adds the signature of `key` in its file, atomically, unless `review` refuses. The document that `review` sees
    /// is, byte for byte, the one that is signed. Signatures that others add meanwhile are kept.
    ///
    /// # Errors
    ///
    /// As [`Signed::read_file`] and [`Signed::cosign`], the error of `review`, and `usage.changed` when
    /// the document was changed during the review. The file is then as it was.
    pub fn cosign_file<'p>(
        location: impl Into<Location<'p>>,
        key: &SecretKey,
        review: impl FnOnce(&Self, &D) -> Result<()>,
    ) -> Result<(Self, D)> {
        let file = DocumentFile::of::<D>(&location.into())?;
        let reviewed = Self::parse(&file.read(MAX_ENVELOPE_BYTES)?)?;
        review(&reviewed, &reviewed.unverified()?)?;
        // A person may take their time, and others need not wait for them.
        let _lock = file.lock()?;
        let mut signed = Self::parse(&file.read(MAX_ENVELOPE_BYTES)?)?;
        if signed.digest() != reviewed.digest() {
            return Err(Error::UsageChanged { document: D::KIND });
        }
        let document = signed.cosign(key)?;
        file.replace(&signed.envelope().to_bytes()?)?;
        Ok((signed, document))
    }
}

/// A file in its directory.
struct DocumentFile<'p> {
    directory: Directory,
    name: &'p str,
    /// The document's name in messages.
    document: &'static str,
}

impl<'p> DocumentFile<'p> {
    fn of<D: Document>(location: &Location<'p>) -> Result<Self> {
        let document = D::KIND.with_article();
        let (directory, name) = Directory::open_parent(location, Rule::NotWorldWritable, document)?;
        Ok(Self {
            directory,
            name,
            document,
        })
    }

    fn lock(&self) -> Result<std::fs::File> {
        self.directory
            .lock(&format!("the directory of {}", self.document))
    }

    fn read(&self, max_bytes: u64) -> Result<Vec<u8>> {
        self.directory
            .read_bounded(self.name, max_bytes)
            .map_err(|error| match error {
                Error::FileMissing { .. } => {
                    Error::io(format!("read {}", self.document))(io::ErrorKind::NotFound.into())
                }
                other => other,
            })?
            .map_err(|found| {
                Error::Trust(TrustError::Malformed {
                    document: self.document,
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
                    what: "the file".into(),
                },
                _ => Error::io(format!("write {}", self.document))(error),
            })
    }

    fn replace(&self, bytes: &[u8]) -> Result<()> {
        self.directory
            .replace(self.name, bytes, 0o644)
            .map_err(Error::io(format!("write {}", self.document)))
    }
}
