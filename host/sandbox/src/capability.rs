//! Capabilities: extras that a model can ask for in its signed manifest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Something beyond the inert base that a model may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Capability {
    /// `host-kernels`: the host multiplies matrices for the model, outside the sandbox.
    HostKernels,
}

impl Capability {
    /// Every capability that this host knows.
    pub const ALL: [Self; 1] = [Self::HostKernels];

    /// Returns the name, as manifests spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HostKernels => "host-kernels",
        }
    }

    /// Returns the capability of that name, if this host knows it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
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
