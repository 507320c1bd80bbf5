//! The waist of a host: a model that was verified, admitted and compiled, as plain data.
//!
//! The loading half makes a [`LoadedModel`]; the serving half takes it. It holds no engine, no thread, no key and no
//! path, so it can go to another process.

use std::sync::Arc;

use ampoule_units::SandboxBudgets;
use serde::{Deserialize, Serialize};

use crate::code::engine::EngineProfile;
use crate::code::facts::CompiledFacts;
use crate::code::native_code::NativeCode;
use crate::contract::Task;
use crate::imports::assets::AssetFiles;
use crate::lease::TrustLease;

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
    /// True when the host computes layers for it. A model without a snapshot computes them itself all the same.
    pub is_granted_host_kernels: bool,
    /// The profile that its code was compiled for. An engine of another profile refuses the code.
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
    /// Makes a loaded model. The caller vouches for the model's trust, admission and code.
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

/// Facts of a signed manifest that identify a model.
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
    /// Makes the facts.
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

/// Native code with facts about it. Models with the same code share it.
#[derive(Debug)]
pub struct Code {
    /// The digest of everything that the code was made of, equal on every machine.
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
    /// It was shared with a model that this host had already loaded.
    Shared,
}
