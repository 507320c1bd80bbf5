//! The waist of a host: a model that was verified, admitted and compiled, as plain data.
//!
//! The loading half makes a [`LoadedModel`]; the serving half takes it. It holds no engine, no thread, no key and no
//! path, so it can go to another process.

use std::sync::Arc;

use ampoule_units::ByteSize;
use serde::{Deserialize, Serialize};

use crate::code::engine::EngineProfile;
use crate::code::facts::CompiledFacts;
use crate::code::native_code::NativeCode;
use crate::contract::Task;
use crate::imports::assets::AssetFiles;
use crate::lease::TrustLease;
use crate::limits::Budget;

/// A model that may be served.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoadedModel {
    /// Facts of its signed manifest.
    pub facts: ModelFacts,
    /// The tasks that its component exports and its manifest declares: the same set.
    pub tasks: Vec<Task>,
    /// The most that its sandboxes may cost.
    pub budgets: SandboxBudgets,
    /// True when the host computes layers for it, if it has a snapshot.
    pub is_granted_host_kernels: bool,
    /// The way in which its code is metered. An engine of another profile does not take the code.
    pub profile: EngineProfile,
    /// Its native code.
    pub code: Arc<Code>,
    /// The origin of the code.
    pub origin: CodeOrigin,
    /// Verified bytes of the files that serving it needs: those of layers to pack, or, where each sandbox runs
    /// `init`, all of them.
    pub files: AssetFiles,
    /// The trust in it.
    pub lease: TrustLease,
}

impl LoadedModel {
    /// Puts a loaded model together. The caller vouches for all of it.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each field, once")]
    pub fn new(
        facts: ModelFacts,
        tasks: Vec<Task>,
        budgets: SandboxBudgets,
        is_granted_host_kernels: bool,
        profile: EngineProfile,
        (code, origin): (Arc<Code>, CodeOrigin),
        files: AssetFiles,
        lease: TrustLease,
    ) -> Self {
        Self {
            facts,
            tasks,
            budgets,
            is_granted_host_kernels,
            profile,
            code,
            origin,
            files,
            lease,
        }
    }
}

/// Facts of a signed manifest that a model is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelFacts {
    /// The publisher, such as `acme`.
    pub publisher: String,
    /// The name, such as `minilm`.
    pub name: String,
    /// The version, such as `1.0.0`.
    pub version: String,
    /// The number of the release.
    pub release: u64,
    /// The SHA-256 digest of the manifest, in hexadecimal digits.
    pub manifest: String,
}

impl ModelFacts {
    /// Puts the facts together.
    #[must_use]
    pub fn new(
        publisher: impl Into<String>,
        name: impl Into<String>,
        version: impl Into<String>,
        release: u64,
        manifest: impl Into<String>,
    ) -> Self {
        Self {
            publisher: publisher.into(),
            name: name.into(),
            version: version.into(),
            release,
            manifest: manifest.into(),
        }
    }
}

/// The most that sandboxes of one model may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxBudgets {
    /// One request: as the manifest asks for, or less where the load asked for less.
    pub request: Budget,
    /// `init`, as the manifest asks for.
    pub init: Budget,
    /// Bytes that the guest may hand to the host in one call.
    pub output: ByteSize,
}

impl SandboxBudgets {
    /// Returns the bytes that the guest may hand to the host in one call.
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        usize::try_from(self.output.bytes()).unwrap_or(usize::MAX)
    }
}

/// Native code with what is known of it. Models with the same code share it.
#[derive(Debug)]
pub struct Code {
    /// The digest of everything that the code was made of. The same bytes everywhere have the same one.
    pub identity: [u8; 32],
    /// Facts about it.
    pub facts: CompiledFacts,
    /// The code, in a sealed file.
    pub native: NativeCode,
}

/// The origin of a model's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CodeOrigin {
    /// It was compiled for this load.
    Compiled,
    /// It was in the cache.
    Cached,
    /// The same model was loaded in this host already.
    Shared,
}
