//! Capabilities: what a model asks for in its signed manifest, and what of that it is granted.

use std::fmt;
use std::str::FromStr;

use ampoule_signing::Manifest;

use crate::engine::EngineProfile;

/// Something beyond the inert base that a model may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// `host-kernels`: the host multiplies matrices for the model, outside the sandbox.
    HostKernels,
}

impl Capability {
    /// Every capability that this host knows.
    pub const ALL: [Self; 1] = [Self::HostKernels];

    /// The name, as manifests spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HostKernels => "host-kernels",
        }
    }

    /// The capability of that name, if this host knows it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Whether a host that allows `allowed` and runs guests in this profile grants it to a model with this
    /// manifest, once that is trusted and admitted. In the deterministic profile nothing is granted whose
    /// answers depend on the processor.
    #[must_use]
    pub fn is_granted(self, manifest: &Manifest, allowed: &[Self], profile: EngineProfile) -> bool {
        Grants::new(allowed, profile).grant(self, manifest)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Capability {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::from_name(name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("expected a capability ({known}), found `{name}`")
        })
    }
}

/// What a host grants to those models that ask for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants(Vec<Capability>);

impl Grants {
    pub(crate) fn new(allowed: &[Capability], profile: EngineProfile) -> Self {
        Self(match profile {
            EngineProfile::Deterministic => Vec::new(),
            EngineProfile::Metered | EngineProfile::Unmetered => allowed.to_vec(),
        })
    }

    /// Whether a model with this manifest is granted it.
    pub(crate) fn grant(&self, capability: Capability, manifest: &Manifest) -> bool {
        let names = manifest.capabilities();
        self.0.contains(&capability) && names.iter().any(|name| name == capability.name())
    }
}
