//! Options of one load.

use std::path::Path;
use std::sync::Arc;

use ampoule_sandbox::{Capability, RequestLimits, Result};
use ampoule_signing::{Bundle, ModelReference, PermissionPolicy, TrustStore};

use crate::refusal::OrRefused as _;
use crate::trust::HostTrust;

/// Options of one load; see `Host::load_with`.
///
/// ```
/// use ampoule_load::{LoadOptions, RollbackProtection};
///
/// let options = LoadOptions {
///     expected: Some("acme/minilm".parse()?),
///     rollback: RollbackProtection::CheckOnly,
///     ..LoadOptions::default()
/// };
/// # Ok::<(), ampoule_signing::ParseError>(())
/// ```
///
/// Later versions may have more fields: write the rest as `..LoadOptions::default()`.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The only model that is accepted. `None` accepts any trusted model.
    pub expected: Option<ModelReference>,
    /// Use of the host's record of releases (`HostBuilder::releases`).
    pub rollback: RollbackProtection,
    /// Treatment of a bundle that others could have changed; by default it is refused.
    pub permissions: PermissionPolicy,
    /// Limits of each request to the model, where lower than its manifest asks for. The host's caps
    /// ([`Limits`](ampoule_sandbox::Limits)) are compared with the lower values.
    pub at_most: RequestLimits,
    /// Reads and verifies every file of the bundle, even when cached code makes that needless. This finds out whether
    /// the bundle is complete.
    pub check_files: bool,
    /// Capabilities that the model may have, of those that the host allows (`HostBuilder::allow`). `None` allows the model
    /// all of them.
    pub capabilities: Option<Vec<Capability>>,
    /// Rules that decide about this model in place of the host's trust, now and at each request, for a bundle that is
    /// part of the program. `None` leaves the decision to the host's trust.
    pub trust: Option<TrustStore>,
}

/// Options that a load needs beside the bundle.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// As [`LoadOptions::at_most`].
    pub at_most: RequestLimits,
    /// As [`LoadOptions::check_files`].
    pub check_files: bool,
    /// As [`LoadOptions::capabilities`].
    pub capabilities: Option<Vec<Capability>>,
    /// As [`LoadOptions::trust`].
    pub trust: Option<Arc<HostTrust>>,
}

/// Check of a bundle against the releases that were run before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RollbackProtection {
    /// Refuses an older release, and records a newer one.
    #[default]
    On,
    /// Refuses an older release, and records nothing. This finds out whether a bundle would be run.
    CheckOnly,
    /// Runs an older release, which is logged. The record keeps the newer one.
    AllowDowngrade,
    /// Compares with no record and makes none, for a bundle that is part of the program and as old as it.
    Off,
}

impl LoadOptions {
    /// Returns the options that a load needs beside the bundle.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            at_most: self.at_most,
            check_files: self.check_files,
            capabilities: self.capabilities.clone(),
            trust: self.trust.clone().map(HostTrust::fixed),
        }
    }

    /// Opens the bundle at `path` with these options.
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
