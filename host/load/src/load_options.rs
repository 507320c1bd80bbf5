//! How one bundle is to be loaded.

use std::path::Path;
use std::time::Duration;

use ampoule_signing::{Bundle, ByteSize, Fuel, ManifestLimits, ModelReference, PermissionPolicy};

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
    /// Less than the manifest asks for, for each request to what is loaded. The host's caps
    /// ([`Limits`](crate::Limits)) are compared with what is left then.
    pub at_most: RequestLimits,
    /// Reads and verifies every file of the bundle, though compiled code of it is in the cache and makes that
    /// needless: to find out whether the bundle is whole.
    pub check_files: bool,
}

/// Limits of each request to a loaded model, where lower than its manifest asks for.
/// Requests that need more end with `limit.memory`, `limit.fuel` or `limit.deadline`. Values that a field of
/// [`Limits`](crate::Limits) could not have, such as zero, are refused before anything is loaded
/// (`usage.limits`).
///
/// ```
/// use ampoule::{LoadOptions, RequestLimits};
///
/// let mut at_most = RequestLimits::default();
/// at_most.deadline = Some(std::time::Duration::from_millis(500));
/// let options = LoadOptions::new().at_most(at_most);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestLimits {
    /// Linear memory and tables.
    pub memory: Option<ByteSize>,
    /// Fuel.
    pub fuel: Option<Fuel>,
    /// Wall-clock time, the wait in the queue included.
    pub deadline: Option<Duration>,
}

impl RequestLimits {
    /// The lower of each, and the rest as it was asked for.
    pub(crate) fn applied_to(self, asked: ManifestLimits) -> ManifestLimits {
        fn lower<T: Ord + Copy>(asked: T, at_most: Option<T>) -> T {
            at_most.map_or(asked, |at_most| asked.min(at_most))
        }
        ManifestLimits {
            memory: lower(asked.memory, self.memory),
            fuel: lower(asked.fuel, self.fuel),
            deadline: lower(asked.deadline, self.deadline),
            ..asked
        }
    }
}

/// Options that a load needs beside the bundle.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) at_most: RequestLimits,
    pub(crate) check_files: bool,
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

    pub(crate) fn terms(&self) -> Terms {
        Terms {
            at_most: self.at_most,
            check_files: self.check_files,
        }
    }

    pub(crate) fn open(&self, path: &Path) -> Result<Bundle> {
        let bundle = Bundle::open(self.permissions.at(path))?;
        Ok(match &self.expected {
            Some(expected) => bundle.with_expected(expected.clone()),
            None => bundle,
        })
    }
}
