//! The manifest that a publisher starts from: sizes and digests of what lies in a directory.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use semver::Version;

use crate::bundle::{DEFAULT_MAX_BUNDLE_SIZE, ENVELOPE_FILE};
use crate::digest::{FileDigest, Sha256Digest};
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::manifest::{
    CONTRACT, FileEntry, InitLimits, MAX_MANIFEST_BYTES, Manifest, ManifestLimits, SCHEMA,
};
use crate::minisign::MINISIGN_FILE;
use crate::permission_policy::Location;
use crate::source::open_directory;
use crate::units::{ByteSize, Fuel};

/// The unsigned manifest in a publisher's directory: written by `init`, edited by hand, signed as it
/// is. No host ever reads it.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Files above this size are pinned in chunks, so that all cores can check them.
const CHUNKED_ABOVE: u64 = 64 << 20;
/// The length of such a chunk: 4 MiB.
const CHUNK_SIZE: NonZeroU32 = NonZeroU32::new(4 << 20).expect("it is not zero");

/// What a publisher decides about a bundle; the rest follows from the files.
#[derive(Clone, Debug)]
pub struct ManifestTemplate {
    /// Who publishes: `a-z0-9`, and `-._` inside.
    pub publisher: String,
    /// What the model is called: `a-z0-9`, and `-._` inside.
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
    /// What the component asks for beyond the inert base.
    pub capabilities: Vec<String>,
    /// What one sandbox needs; left out, it is guessed from the size of the files.
    pub limits: Option<ManifestLimits>,
    /// Signed remarks.
    pub annotations: BTreeMap<String, String>,
    /// The licence, for people.
    pub license: Option<String>,
    /// Where the model comes from, for people.
    pub source: Option<String>,
    /// What the model is, for people.
    pub description: Option<String>,
}

impl ManifestTemplate {
    /// A template with the component in `component.wasm` and nothing that may be left out.
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

    /// The manifest for the files in `dir`: the component, and as assets all others but the
    /// envelope and [`MANIFEST_FILE`].
    ///
    /// # Errors
    ///
    /// `file.missing` without a component; `file.symlink` or `file.type` for what cannot be in a
    /// bundle; `trust.owner` and `trust.permissions` for what others may change; `usage.arguments` for a
    /// private key among the files; `manifest.*` for what no manifest may say.
    pub fn fill<'p>(self, dir: impl Into<Location<'p>>, created: Timestamp) -> Result<Manifest> {
        let directory = open_directory(&dir.into())?;
        let component = file_entry(&directory, self.component)?;
        let files = directory
            .list()?
            .into_iter()
            .filter(|path| {
                ![
                    ENVELOPE_FILE,
                    MANIFEST_FILE,
                    MINISIGN_FILE,
                    component.path.as_str(),
                ]
                .contains(&path.as_str())
            })
            .map(|path| file_entry(&directory, path))
            .collect::<Result<Vec<_>>>()?;
        let limits = self.limits.unwrap_or_else(|| guess_limits(&files));
        let manifest = Manifest {
            schema: SCHEMA,
            publisher: self.publisher,
            name: self.name,
            version: self.version,
            release: self.release,
            // Whole seconds: nobody reads or compares the rest.
            created: Timestamp::from_second(created.as_second())
                .map_err(|_| Error::Internal("the time"))?,
            not_after: self.not_after,
            contract: CONTRACT.to_owned(),
            tasks: self.tasks,
            component,
            files,
            capabilities: self.capabilities,
            limits,
            annotations: self.annotations,
            license: self.license,
            source: self.source,
            description: self.description,
        };
        // The rules of the format are in its parser, and only there.
        Manifest::parse(manifest.to_json()?.as_bytes())
    }
}

impl Manifest {
    /// The same manifest with other limits.
    ///
    /// # Errors
    ///
    /// `manifest.field` for a limit of zero or above 2^53 − 1.
    pub fn with_limits(mut self, limits: ManifestLimits) -> Result<Self> {
        self.limits = limits;
        Self::parse(self.to_json()?.as_bytes())
    }

    /// The manifest as text that a person can edit.
    ///
    /// # Errors
    ///
    /// None that is known (`internal.encoding`).
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|json| json + "\n")
            .map_err(|_| Error::Internal("a manifest"))
    }
}

fn file_entry(directory: &Directory, path: String) -> Result<FileEntry> {
    let max_bytes = DEFAULT_MAX_BUNDLE_SIZE.bytes();
    let bytes = directory
        .read_bounded(&path, max_bytes)?
        .map_err(|found| Error::FileTooLarge {
            found: ByteSize::from_bytes(found),
            allowed: DEFAULT_MAX_BUNDLE_SIZE,
        })?;
    if holds_private_key(&bytes) {
        return Err(Error::UsageArguments(format!(
            "{path:?} holds a private key, and everything in the directory is published; move it \
             elsewhere"
        )));
    }
    let size = bytes.len() as u64;
    let digest = if size > CHUNKED_ABOVE {
        FileDigest::of_chunks(&bytes, CHUNK_SIZE)
    } else {
        FileDigest::Sha256(Sha256Digest::of(&bytes))
    };
    Ok(FileEntry {
        path,
        size: ByteSize::from_bytes(size),
        digest,
    })
}

/// Whether a file is a PEM private key of any kind.
fn holds_private_key(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(4096)];
    start.starts_with(b"-----BEGIN") && start.windows(16).any(|part| part == b"PRIVATE KEY-----")
}

/// A first guess at the limits, to be measured and edited: what the weights take once they are
/// parsed and packed, with room to work. `init` holds the raw file besides.
fn guess_limits(files: &[FileEntry]) -> ManifestLimits {
    const BASE: u64 = 64 << 20;
    const STEP: u64 = 16 << 20;
    let weights = files
        .iter()
        .fold(0u64, |sum, file| sum.saturating_add(file.size.bytes()));
    let room = |copies: u64| {
        let bytes = weights.saturating_mul(copies).saturating_add(BASE);
        ByteSize::from_bytes(bytes.div_ceil(STEP).saturating_mul(STEP))
    };
    ManifestLimits {
        memory: room(2),
        // Five seconds of one core at some ten thousand million units a second.
        fuel: Fuel::new(50_000_000_000),
        deadline: Duration::from_secs(5),
        output: ByteSize::from_mib(1),
        init: InitLimits {
            memory: room(3),
            fuel: Fuel::new(500_000_000_000),
            deadline: Duration::from_secs(60),
        },
    }
}

/// How much of a file is a manifest: one byte more than allowed is enough to refuse it.
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
