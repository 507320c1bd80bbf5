//! Grants: the capabilities that a host gives to the models that ask for them.

use ampoule_sandbox::Capability;
use ampoule_sandbox::code::engine::EngineProfile;
use ampoule_signing::Manifest;

/// Tells whether a host that allows `allowed` and runs guests in this profile grants `capability` to a trusted and
/// admitted model with this manifest. The deterministic profile grants nothing, since results of granted functions may
/// depend on the processor.
#[must_use]
pub fn is_granted(
    capability: Capability,
    manifest: &Manifest,
    allowed: &[Capability],
    profile: EngineProfile,
) -> bool {
    Grants::new(allowed, profile).grant(capability, manifest)
}

/// Capabilities that a host grants to those models that ask for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants(Vec<Capability>);

impl Grants {
    pub(crate) fn new(allowed: &[Capability], profile: EngineProfile) -> Self {
        Self(match profile {
            EngineProfile::Deterministic => Vec::new(),
            _ => allowed.to_vec(),
        })
    }

    /// Returns these grants for a model that may have no others than `capabilities`; `None` takes nothing away.
    pub(crate) fn within(&self, capabilities: Option<&[Capability]>) -> Self {
        let is_kept = |granted: &&Capability| capabilities.is_none_or(|c| c.contains(granted));
        Self(self.0.iter().filter(is_kept).copied().collect())
    }

    /// Tells whether a model with this manifest is granted a capability.
    pub(crate) fn grant(&self, capability: Capability, manifest: &Manifest) -> bool {
        let names = manifest.capabilities();
        self.0.contains(&capability) && names.iter().any(|name| name == capability.name())
    }
}
