//! From a directory on disk, or from bytes in memory, to a bundle that may be run.
//!
//! The order is the point: signatures are verified over the exact payload bytes before those bytes
//! are parsed; identity and expiry are checked before any file is read; each file is read once, and
//! the bytes that were hashed are the bytes that are used.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::digest::Sha256Digest;
use crate::directory::Directory;
use crate::envelope::{Envelope, MAX_ENVELOPE_BYTES};
use crate::error::{Error, Result};
use crate::key::KeyId;
use crate::manifest::{FileEntry, Manifest};
use crate::permissions::Rule;
use crate::reference::ModelReference;
use crate::signers::valid_signers;
use crate::trust::Caps;
use crate::trust::TrustError;
use crate::trust::TrustStore;
use crate::units::ByteSize;

/// The name of the envelope in a bundle's directory.
pub const ENVELOPE_FILE: &str = "ampoule.dsse.json";

/// How much of a bundle is read into memory unless [`Bundle::with_max_size`] says otherwise: room
/// for every model that a sandbox of 4 GiB could hold, and an end for a manifest that lists more.
pub const DEFAULT_MAX_BUNDLE_SIZE: ByteSize = ByteSize::from_mib(16 * 1024);

/// A bundle whose envelope was read. Nothing in it is to be believed yet.
#[derive(Debug)]
pub struct Bundle {
    source: Source,
    envelope: Envelope,
    max_size: ByteSize,
    expected: Option<ModelReference>,
}

/// Where a bundle's files are.
#[derive(Debug)]
enum Source {
    Directory(Directory),
    Memory(BTreeMap<String, Arc<[u8]>>),
}

impl Bundle {
    /// Opens a bundle's directory, once and for all, and reads its envelope.
    ///
    /// # Errors
    ///
    /// `envelope.missing` when it is no bundle, `trust.permissions` when everybody may write to the
    /// directory or the envelope, and what [`Envelope::parse`] refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let directory = Directory::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::EnvelopeMissing { found: "nothing" },
            io::ErrorKind::NotADirectory => Error::EnvelopeMissing { found: "a file" },
            _ => Error::io("open the bundle directory")(error),
        })?;
        directory.check(Rule::NotWorldWritable, "the bundle directory")?;
        let envelope = read_envelope(&directory)?;
        Ok(Self {
            source: Source::Directory(directory),
            envelope,
            max_size: DEFAULT_MAX_BUNDLE_SIZE,
            expected: None,
        })
    }

    /// A bundle that is in memory already, such as one that is part of a program: its envelope, and
    /// its files by the paths that the manifest gives them. It is believed no more than one on disk:
    /// [`Bundle::verify`] makes the same checks.
    ///
    /// # Errors
    ///
    /// What [`Envelope::parse`] refuses.
    pub fn from_memory<N: Into<String>, B: Into<Arc<[u8]>>>(
        envelope: &[u8],
        files: impl IntoIterator<Item = (N, B)>,
    ) -> Result<Self> {
        let files = files
            .into_iter()
            .map(|(path, bytes)| (path.into(), bytes.into()))
            .collect();
        Ok(Self {
            source: Source::Memory(files),
            envelope: Envelope::parse(envelope)?,
            max_size: DEFAULT_MAX_BUNDLE_SIZE,
            expected: None,
        })
    }

    /// Sets how much may be read into memory, all files together.
    #[must_use]
    pub fn with_max_size(mut self, max_size: ByteSize) -> Self {
        self.max_size = max_size;
        self
    }

    /// Refuses any model but this one when the bundle is verified.
    #[must_use]
    pub fn with_expected(mut self, expected: ModelReference) -> Self {
        self.expected = Some(expected);
        self
    }

    /// The envelope: what is signed and who is said to have signed it.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The manifest as the envelope has it, **without any check of signatures or files**: to show to
    /// a person, never to act on.
    ///
    /// # Errors
    ///
    /// `manifest.*`, see [`Manifest::parse`].
    pub fn unverified_manifest(&self) -> Result<Manifest> {
        Manifest::parse(self.envelope.payload())
    }

    /// The component's bytes as that manifest describes them, **without any check of signatures**:
    /// to show a person what the component imports, never to run.
    ///
    /// # Errors
    ///
    /// `manifest.*`, `file.*`, `trust.permissions`.
    pub fn unverified_component(&self) -> Result<Arc<[u8]>> {
        let manifest = self.unverified_manifest()?;
        let component = manifest.component();
        if component.size().bytes() > self.max_size.bytes() {
            return Err(Error::FileTooLarge {
                found: component.size(),
                allowed: self.max_size,
            });
        }
        self.source.read(component)
    }

    /// Verifies everything and reads every file: the only way to a [`VerifiedBundle`].
    ///
    /// # Errors
    ///
    /// In this order: `trust.root-expired` for the trust itself; `signature.missing`,
    /// `signature.invalid`, `trust.unknown-key` for the signatures; `manifest.*` for the payload;
    /// `trust.publisher`, `trust.model`, `trust.validity`, `trust.threshold`, `trust.identity`,
    /// `trust.expired` for what it says; `file.*`, `trust.permissions` for the files.
    pub fn verify(self, trust: &TrustStore, now: Timestamp) -> Result<VerifiedBundle> {
        trust.check_fresh(now)?;
        let valid = valid_signers(&self.envelope, |id| trust.key(id))?;
        let manifest = Manifest::parse(self.envelope.payload())?;
        let manifest_digest = Sha256Digest::of(self.envelope.payload());
        let (signers, caps) = trust.decide(&manifest, valid, now)?;
        if let Some(expected) = &self.expected {
            expected.check(&manifest, manifest_digest)?;
        }
        if let Some(not_after) = manifest.not_after().filter(|not_after| *not_after < now) {
            return Err(Error::Trust(TrustError::Expired { not_after, now }));
        }
        let files = read_files(&manifest, self.max_size, |file| self.source.read(file))?;
        let component = files
            .get(manifest.component().path())
            .cloned()
            .ok_or(Error::Internal("the component"))?;
        Ok(VerifiedBundle {
            manifest_digest,
            manifest,
            signers,
            caps,
            component,
            files,
        })
    }
}

/// Reads a bundle's envelope from its directory.
pub(crate) fn read_envelope(directory: &Directory) -> Result<Envelope> {
    let bytes = directory
        .read_bounded(ENVELOPE_FILE, MAX_ENVELOPE_BYTES, Rule::NotWorldWritable)
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

/// Reads all of a manifest's files, each with `read`.
pub(crate) fn read_files(
    manifest: &Manifest,
    max_size: ByteSize,
    read: impl Fn(&FileEntry) -> Result<Arc<[u8]>>,
) -> Result<BTreeMap<String, Arc<[u8]>>> {
    let total = manifest
        .all_files()
        .fold(0u64, |sum, file| sum.saturating_add(file.size().bytes()));
    if total > max_size.bytes() {
        return Err(Error::FileTooLarge {
            found: ByteSize::from_bytes(total),
            allowed: max_size,
        });
    }
    manifest
        .all_files()
        .map(|file| Ok((file.path().to_owned(), read(file)?)))
        .collect()
}

/// Reads one file of a directory, once, and checks that it is what the manifest says.
pub(crate) fn read_file(directory: &Directory, file: &FileEntry) -> Result<Arc<[u8]>> {
    let bytes = directory.read_exact(file.path(), file.size(), Rule::NotWorldWritable)?;
    check_digest(file, bytes)
}

fn check_digest(file: &FileEntry, bytes: Arc<[u8]>) -> Result<Arc<[u8]>> {
    if !file.digest().verify(&bytes) {
        return Err(Error::FileDigest {
            path: file.path().to_owned(),
        });
    }
    Ok(bytes)
}

impl Source {
    /// One file, once it was found to be what the manifest says.
    fn read(&self, file: &FileEntry) -> Result<Arc<[u8]>> {
        let files = match self {
            Self::Directory(directory) => return read_file(directory, file),
            Self::Memory(files) => files,
        };
        let bytes = files.get(file.path()).ok_or_else(|| Error::FileMissing {
            path: file.path().to_owned(),
        })?;
        let found = ByteSize::from_bytes(bytes.len() as u64);
        if found != file.size() {
            return Err(Error::FileSize {
                path: file.path().to_owned(),
                expected: file.size(),
                found,
            });
        }
        check_digest(file, Arc::clone(bytes))
    }
}

/// A bundle whose signatures, manifest and files were verified, with the bytes that were verified.
///
/// Only [`Bundle::verify`] makes one, so code that takes it cannot be given an unverified model.
#[derive(Clone, Debug)]
pub struct VerifiedBundle {
    manifest: Manifest,
    manifest_digest: Sha256Digest,
    signers: Vec<KeyId>,
    caps: Caps,
    component: Arc<[u8]>,
    files: BTreeMap<String, Arc<[u8]>>,
}

impl VerifiedBundle {
    /// The signed manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest of the manifest's exact bytes: it names the bundle with all its files.
    #[must_use]
    pub fn manifest_digest(&self) -> Sha256Digest {
        self.manifest_digest
    }

    /// The keys whose signatures counted: as many as the trust in the model asks for, each once.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// What the trust in the model lets its manifest ask for. The host compares the two.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The WebAssembly component.
    #[must_use]
    pub fn component(&self) -> &Arc<[u8]> {
        &self.component
    }

    /// The assets by name, in the order of the manifest. The component is not among them.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.manifest
            .files()
            .iter()
            .filter_map(|file| Some((file.path(), self.file(file.path())?)))
    }

    /// An asset by its name, spelled as in the manifest.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&Arc<[u8]>> {
        if name == self.manifest.component().path() {
            return None;
        }
        self.files.get(name)
    }
}
