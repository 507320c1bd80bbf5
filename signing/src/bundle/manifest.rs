//! The manifest: a bundle's identity, its files, and the resources that it needs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;
use serde::{Serialize, Serializer};

use crate::bundle::contract_version::ContractVersion;
use crate::values::digest::FileDigest;
use ampoule_units::{Budget, ByteSize, Fuel, SandboxBudgets};

/// The newest contract between host and guest: [`ManifestTemplate`](crate::ManifestTemplate) writes it into
/// manifests.
pub const CONTRACT: &str = "ampoule:model@0.1.0";

/// The longest manifest. A file of 60 GiB in chunks of 4 MiB still fits.
pub const MAX_MANIFEST_BYTES: usize = 1 << 20;

/// The version of the manifest's own format.
pub(crate) const SCHEMA: u64 = 1;

/// A manifest that obeys all the rules of its format.
///
/// It need not be signed by anybody: act only on [`VerifiedBundle::manifest`].
///
/// [`VerifiedBundle::manifest`]: crate::VerifiedBundle::manifest
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    pub(crate) schema: u64,
    pub(crate) publisher: String,
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) release: u64,
    pub(crate) created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_after: Option<Timestamp>,
    pub(crate) contract: ContractVersion,
    pub(crate) tasks: Vec<String>,
    pub(crate) component: FileEntry,
    pub(crate) files: Vec<FileEntry>,
    pub(crate) capabilities: Vec<String>,
    #[serde(serialize_with = "write_limits")]
    pub(crate) limits: SandboxBudgets,
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
}

/// One file of a bundle, as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    pub(crate) path: String,
    pub(crate) size: ByteSize,
    pub(crate) digest: FileDigest,
}

/// Writes the limits as the manifest has them: those of a request beside `output_bytes` and `init`.
fn write_limits<S: Serializer>(limits: &SandboxBudgets, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct WrittenBudget {
        memory_bytes: ByteSize,
        fuel: Fuel,
        deadline_ms: u64,
    }

    #[derive(Serialize)]
    struct WrittenLimits {
        #[serde(flatten)]
        request: WrittenBudget,
        output_bytes: ByteSize,
        init: WrittenBudget,
    }

    let written = |budget: Budget| WrittenBudget {
        memory_bytes: budget.memory,
        fuel: budget.fuel,
        deadline_ms: u64::try_from(budget.deadline.as_millis()).unwrap_or(u64::MAX),
    };
    WrittenLimits {
        request: written(limits.request),
        output_bytes: limits.output,
        init: written(limits.init),
    }
    .serialize(serializer)
}

impl Manifest {
    /// The publisher, who must have signed the bundle: `a-z0-9`, and `-._` inside.
    #[must_use]
    pub fn publisher(&self) -> &str {
        &self.publisher
    }

    /// The model's name, by its publisher: `a-z0-9`, and `-._` inside.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model's version, for people.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The model's version, for rollback protection: it only grows.
    #[must_use]
    pub fn release(&self) -> u64 {
        self.release
    }

    /// The time at which the manifest was written.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// The last moment at which hosts load the bundle.
    #[must_use]
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// The contract that the component keeps, as the manifest spells it: `ampoule:model@0.1.0`.
    #[must_use]
    pub fn contract(&self) -> &str {
        self.contract.as_str()
    }

    /// The contract that the component keeps. Any version is read; the host decides which ones it speaks.
    #[must_use]
    pub fn contract_version(&self) -> &ContractVersion {
        &self.contract
    }

    /// The task interfaces that the component exports, by their WIT names, at least one.
    #[must_use]
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// The WebAssembly component.
    #[must_use]
    pub fn component(&self) -> &FileEntry {
        &self.component
    }

    /// The assets: weights, tokenizer, configuration. The component is not among them.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Capabilities that the component asks for beyond the inert base.
    #[must_use]
    pub fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Returns the resources that sandboxes need, as the publisher measured them. The host grants all of them or refuses
    /// the bundle. The snapshot counts as memory of a request.
    #[must_use]
    pub fn limits(&self) -> &SandboxBudgets {
        &self.limits
    }

    /// Signed remarks that the host ignores.
    #[must_use]
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// The licence, for people.
    #[must_use]
    pub fn license(&self) -> Option<&str> {
        self.license.as_deref()
    }

    /// The model's origin, for people.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// A description of the model, for people.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The component, then the assets.
    pub(crate) fn all_files(&self) -> impl Iterator<Item = &FileEntry> {
        std::iter::once(&self.component).chain(&self.files)
    }
}

impl FileEntry {
    /// The path in the bundle, which is also the asset's name: relative, `/` between segments.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The exact size.
    #[must_use]
    pub fn size(&self) -> ByteSize {
        self.size
    }

    /// The digest of the content.
    #[must_use]
    pub fn digest(&self) -> &FileDigest {
        &self.digest
    }
}
