//! The manifest that a publisher starts from, with sizes and digests of the files in a directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use semver::Version;

use crate::bundle::unverified::DEFAULT_MAX_BUNDLE_SIZE;

use crate::bundle::envelope::ENVELOPE_FILE;
use crate::bundle::file_reader::digest_file;
use crate::bundle::manifest::{CONTRACT, FileEntry, MAX_MANIFEST_BYTES, Manifest, SCHEMA};
use crate::bundle::source::{check_total, open_directory};
use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::sign::file_rules::MINISIGN_FILE;
use crate::sign::file_rules::{FileRules, LeftOut};
use crate::sign::secrets::{self, Secrets};
use crate::values::digest::{FileDigest, Sha256Digest};
use crate::values::error::{Error, Result};
use ampoule_units::{Budget, ByteSize, Fuel, SandboxBudgets};

/// The unsigned manifest in a publisher's directory: written by `init`, edited by hand, signed as it
/// is. No host ever reads it.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Files above this size are pinned in chunks, so that all cores can check them.
const CHUNKED_ABOVE: u64 = 64 << 20;
/// The length of such a chunk: 4 MiB.
const CHUNK_SIZE: NonZeroU32 = NonZeroU32::new(4 << 20).expect("it is not zero");

/// Start of a file that stands for one which Git LFS keeps elsewhere (its specification, "The Pointer").
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// A publisher's decisions about a bundle. Everything else in a manifest follows from the files.
#[derive(Clone, Debug)]
pub struct ManifestTemplate {
    /// The publisher: `a-z0-9`, and `-._` inside.
    pub publisher: String,
    /// The model's name: `a-z0-9`, and `-._` inside.
    pub name: String,
    /// The version, for people.
    pub version: Version,
    /// The version, for rollback protection: above that of every bundle published before.
    pub release: u64,
    /// The last moment at which hosts load the bundle.
    pub not_after: Option<Timestamp>,
    /// The task interfaces that the component exports.
    pub tasks: Vec<String>,
    /// The component's path in the directory.
    pub component: String,
    /// Capabilities that the component asks for beyond the inert base.
    pub capabilities: Vec<String>,
    /// Resources that one sandbox needs. `None` guesses them from the size of the files.
    pub limits: Option<SandboxBudgets>,
    /// Signed remarks.
    pub annotations: BTreeMap<String, String>,
    /// The licence, for people.
    pub license: Option<String>,
    /// The model's origin, for people.
    pub source: Option<String>,
    /// A description of the model, for people.
    pub description: Option<String>,
}

impl ManifestTemplate {
    /// Makes a template with the component in `component.wasm` and without optional parts.
    #[must_use]
    pub fn new(
        publisher: &str,
        name: &str,
        version: Version,
        release: u64,
        tasks: &[&str],
    ) -> Self {
        Self {
            publisher: publisher.to_owned(),
            name: name.to_owned(),
            version,
            release,
            not_after: None,
            tasks: tasks.iter().map(ToString::to_string).collect(),
            component: "component.wasm".to_owned(),
            capabilities: Vec::new(),
            limits: None,
            annotations: BTreeMap::new(),
            license: None,
            source: None,
            description: None,
        }
    }

    /// Makes the manifest for the files in `dir`: the component, and all others as assets except the envelope,
    /// [`MANIFEST_FILE`] and files that programs leave for themselves ([`FileRules`]).
    ///
    /// # Errors
    ///
    /// `file.missing` without a component; `file.symlink` or `file.type` for a file that cannot be in a bundle;
    /// `trust.owner` and `trust.permissions` for one that others may change; `usage.secret` for one that looks like a
    /// secret; `file.pointer` for one that Git LFS has not fetched; `file.changed` for one that is being written;
    /// `file.too-large`; `manifest.*` for content that no manifest may have.
    pub fn fill<'p>(self, dir: impl Into<Location<'p>>, created: Timestamp) -> Result<Manifest> {
        Ok(self.fill_by(dir, created, &FileRules::default())?.0)
    }

    /// Fills the template as [`ManifestTemplate::fill`] does, by rules. Also returns the files that the rules left
    /// out, sorted. The component is always taken.
    ///
    /// # Errors
    ///
    /// As [`ManifestTemplate::fill`].
    pub fn fill_by<'p>(
        self,
        dir: impl Into<Location<'p>>,
        created: Timestamp,
        rules: &FileRules,
    ) -> Result<(Manifest, Vec<LeftOut>)> {
        let directory = open_directory(&dir.into())?;
        let component = FileSize::of(&directory, &self.component)?;
        let own = [ENVELOPE_FILE, MANIFEST_FILE, MINISIGN_FILE, &component.path];
        let (paths, left_out) = rules.select(&directory, &own)?;
        let files = paths
            .iter()
            .map(|path| FileSize::of(&directory, path))
            .collect::<Result<Vec<_>>>()?;
        let created = Timestamp::from_second(created.as_second())
            // Whole seconds: nobody reads or compares the rest.
            .map_err(|_| Error::Internal("the time"))?;
        let limits = self.limits.unwrap_or_else(|| guess_limits(&files));
        let mut manifest = Manifest {
            schema: SCHEMA,
            publisher: self.publisher,
            name: self.name,
            version: self.version,
            release: self.release,
            created,
            not_after: self.not_after,
            contract: CONTRACT
                .parse()
                .map_err(|_| Error::Internal("the contract"))?,
            tasks: self.tasks,
            component: component.entry(),
            files: files.iter().map(FileSize::entry).collect(),
            capabilities: self.capabilities,
            limits,
            annotations: self.annotations,
            license: self.license,
            source: self.source,
            description: self.description,
        };
        // Before hours of reading: the rules of the format, which are in its parser and only there, and those
        // of what is published.
        Manifest::parse(manifest.to_json()?.as_bytes())?;
        check_total(manifest.all_files(), DEFAULT_MAX_BUNDLE_SIZE)?;
        check_heads(&directory, &component, &files, rules)?;
        let progress = directory.progress();
        progress.expect(manifest.all_files().map(|file| file.size.bytes()).sum());
        manifest.component.digest = component.digest(&directory)?;
        let digests: Vec<_> = files
            .par_iter()
            .map(|file| file.digest(&directory))
            .collect();
        // The first error by name, whichever core was first.
        for (entry, digest) in manifest.files.iter_mut().zip(digests) {
            entry.digest = digest?;
        }
        let manifest = Manifest::parse(manifest.to_json()?.as_bytes())?;
        Ok((manifest, left_out))
    }
}

impl Manifest {
    /// Returns the manifest with other limits.
    ///
    /// # Errors
    ///
    /// `manifest.field` for a limit of zero or above 2^53 − 1.
    pub fn with_limits(mut self, limits: SandboxBudgets) -> Result<Self> {
        self.limits = limits;
        Self::parse(self.to_json()?.as_bytes())
    }

    /// Writes the manifest as text that a person can edit.
    ///
    /// # Errors
    ///
    /// `internal.encoding`, which would be a bug.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|json| json + "\n")
            .map_err(|_| Error::Internal("a manifest"))
    }
}

/// Looks at how each file begins, before any is read whole.
fn check_heads(
    directory: &Directory,
    component: &FileSize,
    files: &[FileSize],
    rules: &FileRules,
) -> Result<()> {
    let mut found = Secrets::default();
    for file in std::iter::once(component).chain(files) {
        let head = secrets::head(&file.open(directory)?, &file.path, 0, file.size)?;
        if head.starts_with(LFS_POINTER) {
            return Err(Error::FilePointer {
                path: file.path.clone(),
            });
        }
        found.look(&file.path, rules, || Ok(head))?;
    }
    found.refuse()
}

/// A file that may be in a bundle, and its length.
struct FileSize {
    path: String,
    size: u64,
}

impl FileSize {
    fn of(directory: &Directory, path: &str) -> Result<Self> {
        let (_, metadata) = directory.open_file(path)?;
        Ok(Self {
            path: path.to_owned(),
            size: metadata.len(),
        })
    }

    /// Opens the file again: there may be more of them than a process may have open.
    fn open(&self, directory: &Directory) -> Result<File> {
        Ok(directory.open_file(&self.path)?.0.into_std())
    }

    /// Returns the manifest's entry for a file not read yet, with the digest of no bytes in place of its own.
    fn entry(&self) -> FileEntry {
        FileEntry {
            path: self.path.clone(),
            size: ByteSize::from_bytes(self.size),
            digest: FileDigest::Sha256(Sha256Digest::of(b"")),
        }
    }

    fn digest(&self, directory: &Directory) -> Result<FileDigest> {
        let chunk_size = (self.size > CHUNKED_ABOVE).then_some(CHUNK_SIZE);
        let file = self.open(directory)?;
        digest_file(
            &self.path,
            &file,
            self.size,
            chunk_size,
            directory.progress(),
        )
    }
}

/// Guesses limits for a person to measure and edit: memory for the weights once they are parsed and packed, with room
/// to work. `init` holds the raw file besides.
fn guess_limits(files: &[FileSize]) -> SandboxBudgets {
    const BASE: u64 = 64 << 20;
    const STEP: u64 = 16 << 20;
    let weights = files
        .iter()
        .fold(0u64, |sum, file| sum.saturating_add(file.size));
    let room = |copies: u64| {
        let bytes = weights.saturating_mul(copies).saturating_add(BASE);
        ByteSize::from_bytes(bytes.div_ceil(STEP).saturating_mul(STEP))
    };
    SandboxBudgets {
        request: Budget {
            memory: room(2),
            // Five seconds of one core at some ten thousand million units a second.
            fuel: Fuel::new(50_000_000_000),
            deadline: Duration::from_secs(5),
        },
        output: ByteSize::from_mib(1),
        init: Budget {
            memory: room(3),
            fuel: Fuel::new(500_000_000_000),
            deadline: Duration::from_secs(60),
        },
    }
}

/// Reads the draft, up to the longest manifest.
pub(crate) fn read_manifest_file(directory: &Directory) -> Result<Vec<u8>> {
    let max_bytes = MAX_MANIFEST_BYTES as u64;
    directory
        .read_bounded(MANIFEST_FILE, max_bytes)
        .map_err(|error| match error {
            Error::FileMissing { .. } => Error::ManifestMissing,
            other => other,
        })?
        .map_err(|found| Error::ManifestTooLarge {
            found: ByteSize::from_bytes(found),
            allowed: ByteSize::from_bytes(max_bytes),
        })
}
