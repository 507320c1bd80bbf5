//! How one bundle is to be loaded.

use std::path::Path;

use ampoule_sandbox::{RequestLimits, Result};
use ampoule_signing::{Bundle, ModelReference, PermissionPolicy};

use crate::refusal::OrRefused as _;

/// How to load one bundle; see `Host::load_with`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The model that it has to be. Without it, any that is trusted will do.
    pub expected: Option<ModelReference>,
    /// What becomes of the host's memory of releases
    /// (`HostBuilder::releases`).
    pub rollback: RollbackProtection,
    /// What is done when others could have changed the bundle. Without it, it is refused.
    pub permissions: PermissionPolicy,
    /// Less than the manifest asks for, for each request to what is loaded. The host's caps
    /// ([`Limits`](ampoule_sandbox::Limits)) are compared with what is left then.
    pub at_most: RequestLimits,
    /// Reads and verifies every file of the bundle, though compiled code of it is in the cache and makes that
    /// needless: to find out whether the bundle is whole.
    pub check_files: bool,
}

/// Options that a load needs beside the bundle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// As [`LoadOptions::at_most`].
    pub at_most: RequestLimits,
    /// As [`LoadOptions::check_files`].
    pub check_files: bool,
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

    /// With requests that may cost no more than this.
    #[must_use]
    pub fn at_most(mut self, at_most: RequestLimits) -> Self {
        self.at_most = at_most;
        self
    }

    /// With every file read and verified, needed or not.
    #[must_use]
    pub fn checking_files(mut self) -> Self {
        self.check_files = true;
        self
    }

    /// Returns the options that a load needs beside the bundle.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            at_most: self.at_most,
            check_files: self.check_files,
        }
    }

    /// Opens the bundle at `path` as these options say.
    ///
    /// # Errors
    ///
    /// `envelope.*`, `trust.owner`, `trust.permissions`, `io.*`.
    pub fn open(&self, path: &Path) -> Result<Bundle> {
        let bundle = Bundle::open(self.permissions.at(path)).or_refused()?;
        Ok(match &self.expected {
            Some(expected) => bundle.with_expected(expected.clone()),
            None => bundle,
        })
    }
}
