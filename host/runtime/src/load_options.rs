//! How one bundle is to be loaded.

use std::path::Path;

use ampoule_signing::{Bundle, ModelReference, PermissionPolicy};

use crate::error::Result;

/// How to load one bundle; see [`Host::load_with`](crate::Host::load_with).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The model that it has to be. Without it, any that is trusted will do.
    pub expected: Option<ModelReference>,
    /// What becomes of the host's memory of releases
    /// ([`HostBuilder::releases`](crate::HostBuilder::releases)).
    pub rollback: RollbackProtection,
    /// What is done when others could have changed the bundle. Without it, it is refused.
    pub permissions: PermissionPolicy,
}

/// How one bundle is held against the releases that were run before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RollbackProtection {
    /// An older release is refused, a newer one is remembered.
    #[default]
    On,
    /// An older release is refused, nothing is remembered: to find out whether a bundle would be run.
    CheckOnly,
    /// An older release is run, which is logged; the newer one is still remembered afterwards.
    AllowDowngrade,
}

impl LoadOptions {
    /// Any model that is trusted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This model and no other.
    #[must_use]
    pub fn expecting(mut self, model: ModelReference) -> Self {
        self.expected = Some(model);
        self
    }

    /// With the host's memory of releases used in this way.
    #[must_use]
    pub fn rollback(mut self, rollback: RollbackProtection) -> Self {
        self.rollback = rollback;
        self
    }

    /// With this done when others could have changed the bundle.
    #[must_use]
    pub fn permissions(mut self, permissions: PermissionPolicy) -> Self {
        self.permissions = permissions;
        self
    }

    pub(crate) fn open(&self, path: &Path) -> Result<Bundle> {
        let bundle = Bundle::open(self.permissions.at(path))?;
        Ok(match &self.expected {
            Some(expected) => bundle.with_expected(expected.clone()),
            None => bundle,
        })
    }
}
