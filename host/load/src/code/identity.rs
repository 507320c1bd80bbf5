//! Identity of native code: two loads with the same identity get the same code.

use std::fmt;
use std::hash::{Hash as _, Hasher};

use ampoule_sandbox::code::engine::EngineProfile;
use ampoule_sandbox::limits::Limits;
use ampoule_sandbox::{Error, Result};
use ampoule_signing::{ByteSize, FileDigest, Sha256Digest};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::admission::policy::AdmittedModel;

/// Revision of this crate's part in the code. Raise it with each change that gives the same component other code, or
/// other facts.
const REVISION: u32 = 2;

/// Digest of everything that the code depends on: the component and the files that `init` reads, by their signed
/// digests; the limits of `init`; Wasmtime's version and configuration; the processor's features; and [`REVISION`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CodeIdentity(Sha256Digest);

#[derive(Serialize)]
struct Parts<'a> {
    revision: u32,
    host: &'static str,
    profile: EngineProfile,
    engine: Sha256Digest,
    component: &'a FileDigest,
    files: Vec<(&'a str, ByteSize, &'a FileDigest)>,
    init: [u64; 3],
    output: usize,
    log: ByteSize,
    image: ByteSize,
    host_kernels: bool,
}

impl CodeIdentity {
    /// Returns the digest.
    pub(crate) fn bytes(self) -> [u8; 32] {
        *self.0.as_bytes()
    }

    /// Returns the identity of a model's code on engines with this compatibility.
    pub(crate) fn of(
        model: &AdmittedModel,
        compatibility: Compatibility,
        profile: EngineProfile,
        limits: &Limits,
    ) -> Result<Self> {
        let manifest = model.bundle.manifest();
        let init = model.budgets.init;
        let parts = Parts {
            revision: REVISION,
            host: env!("CARGO_PKG_VERSION"),
            profile,
            engine: compatibility.0,
            component: manifest.component().digest(),
            files: manifest
                .files()
                .iter()
                .map(|file| (file.path(), file.size(), file.digest()))
                .collect(),
            init: [
                init.memory.bytes(),
                init.fuel.get(),
                u64::try_from(init.deadline.as_nanos()).unwrap_or(u64::MAX),
            ],
            output: model.budgets.output_bytes(),
            log: limits.log,
            image: limits.init.memory,
            host_kernels: model.is_granted_host_kernels,
        };
        let parts = serde_json::to_vec(&parts)
            .map_err(|error| Error::internal(format!("the code's identity: {error}")))?;
        Ok(Self(Sha256Digest::of(&parts)))
    }
}

/// Digest of the properties that code and engine must share, as Wasmtime states them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Compatibility(Sha256Digest);

impl Compatibility {
    /// Returns the digest for an engine that compiles.
    pub(crate) fn of(engine: &Engine) -> Self {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self(Sha256Digest::from_bytes(hasher.0.finalize().into()))
    }
}

/// A [`Hasher`] that computes SHA-256, since two configurations may collide in 64 bits.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        // Not used. The first eight bytes of the digest honour the trait.
        let digest = self.0.clone().finalize();
        digest
            .iter()
            .take(8)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

impl fmt::Display for CodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for CodeIdentity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use wasmtime::{Config, ModuleVersionStrategy};

    use super::*;

    #[test]
    fn code_of_another_wasmtime_or_of_other_settings_is_other_code() {
        let digest = |config: &Config| Compatibility::of(&Engine::new(config).unwrap());
        let own = digest(&Config::new());
        assert_eq!(digest(&Config::new()), own);

        let mut other_version = Config::new();
        let version = ModuleVersionStrategy::Custom("48.0.0".to_owned());
        other_version.module_version(version).unwrap();
        assert_ne!(digest(&other_version), own);

        let mut other_settings = Config::new();
        other_settings.wasm_simd(false).wasm_relaxed_simd(false);
        assert_ne!(digest(&other_settings), own);
    }
}
