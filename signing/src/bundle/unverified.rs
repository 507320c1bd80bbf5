//! A bundle whose envelope was read: a directory or a file on disk, or bytes in memory.

use ampoule_units::ByteSize;
use bytes::Bytes;

use crate::bundle::envelope::Envelope;
use crate::bundle::manifest::Manifest;
use crate::bundle::reference::ModelReference;
use crate::bundle::source::{FilesStamp, Source};
use crate::files::permission_policy::Location;
use crate::values::error::{Error, Result};

/// Bytes of a bundle that are read into memory unless [`Bundle::with_max_size`] sets another bound. There is room for
/// every model that a sandbox of 4 GiB could hold, and an end for a manifest that lists more.
pub const DEFAULT_MAX_BUNDLE_SIZE: ByteSize = ByteSize::from_mib(16 * 1024);

/// A bundle whose envelope was read. Unverified: nothing in it may be acted on.
#[derive(Debug)]
pub struct Bundle {
    pub(crate) source: Source,
    pub(crate) envelope: Envelope,
    pub(crate) max_size: ByteSize,
    pub(crate) expected: Option<ModelReference>,
}

impl Bundle {
    /// Opens a bundle, a directory or one packed file, and reads its envelope. The bundle is not opened again later.
    ///
    /// # Errors
    ///
    /// `envelope.missing` when it is no bundle, `trust.owner` and `trust.permissions` when others may
    /// change the directory, one above it, the envelope or the packed file, `file.archive` for a file
    /// that is no packed bundle, and those of [`Envelope::parse`].
    pub fn open<'p>(location: impl Into<Location<'p>>) -> Result<Self> {
        let (source, envelope) = Source::open(&location.into())?;
        Ok(Self {
            source,
            envelope,
            max_size: DEFAULT_MAX_BUNDLE_SIZE,
            expected: None,
        })
    }

    /// Makes a bundle of bytes in memory, such as a bundle that is part of a program: its envelope, and its files by
    /// the paths that the manifest gives them. Such a bundle is trusted no more than one on disk; [`Bundle::verify`]
    /// makes the same checks.
    ///
    /// # Errors
    ///
    /// Those of [`Envelope::parse`].
    pub fn from_memory<N: Into<String>, B: Into<Bytes>>(
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

    /// The envelope: the signed bytes and the signatures, unverified.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Parses the manifest **without any check of signatures or files**: show it to a person, never act on it.
    ///
    /// # Errors
    ///
    /// `manifest.*`, see [`Manifest::parse`].
    pub fn unverified_manifest(&self) -> Result<Manifest> {
        Manifest::parse(self.envelope.payload())
    }

    /// Reads the component and compares it with that manifest, **without any check of signatures**: for showing a
    /// person its imports, never for running it.
    ///
    /// # Errors
    ///
    /// `manifest.*`, `file.*`, `trust.owner`, `trust.permissions`.
    pub fn unverified_component(&self) -> Result<Bytes> {
        let manifest = self.unverified_manifest()?;
        self.source
            .read(
                &manifest,
                std::iter::once(manifest.component()),
                self.max_size,
            )?
            .remove(manifest.component().path())
            .ok_or(Error::Internal("the component"))
    }

    /// Returns the system's metadata of the files that the manifest lists, **without any check of signatures**. By it
    /// a caller sees whether a bundle that was refused has been changed. No file is read.
    #[must_use]
    pub fn unverified_stamp(&self) -> FilesStamp {
        match self.unverified_manifest() {
            Ok(manifest) => self.source.stamp(manifest.all_files()),
            Err(_) => FilesStamp::default(),
        }
    }
}
