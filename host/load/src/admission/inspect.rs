//! Inspection: reads and judges a bundle, and runs nothing of it.

use std::path::Path;

use ampoule_sandbox::{Error, Limits, RequestLimits, Result};
use ampoule_signing::{Bundle, KeyId, Manifest, ReleaseState, Sha256Digest, TrustStore};

use crate::admission::grants::Grants;
use crate::admission::guest_features::{Depth, check_features};
use crate::admission::policy::{admit, admit_manifest};
use crate::admission::surface::ComponentSurface;
use crate::code::snapshot;
use crate::refusal::{OrRefused as _, refusal};

/// Claims of a bundle, its real imports and exports, and the verdict of a host.
///
/// Only [`Inspection::verdict`] is the result of checks. Everything else is unverified: show it to a person, and never
/// act on it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The manifest, **unverified**.
    pub manifest: Manifest,
    /// Ids of the keys that the signatures name, **unverified**.
    pub signatures: Vec<KeyId>,
    /// Imports and exports of the component; an error when the bytes are no component, or differ from the manifest's
    /// digest.
    pub surface: Result<ComponentSurface>,
    /// Reason why each sandbox would run `init`, as far as the component's bytes tell; `None` when a snapshot looks
    /// possible. Resources that `init` leaves open may still prevent one, which `Model::sandbox_start` tells.
    pub snapshot_obstacle: Option<String>,
    /// `Ok` for a bundle that is trusted and admitted, and the reason for any other. Compiling and initialising it,
    /// which an inspection does not do, may still fail. Only [`Inspection::after`] looks at recorded releases.
    pub verdict: Result<()>,
    /// Digest of the manifest's bytes, **unverified**.
    digest: Sha256Digest,
    is_trusted: bool,
}

impl Inspection {
    /// Tells whether the bundle is complete and signed by somebody whom this host trusts for it. The host's policy may
    /// still refuse it. A trusted bundle over the host's size limit counts as trusted; its files were not read.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Compares a trusted bundle with the recorded releases, as loading does. The verdict on one that may not follow
    /// them is `trust.rollback`, `trust.release-reused` or `trust.releases-full`. When `releases` cannot be read, the
    /// verdict is that error.
    #[must_use]
    pub fn after(mut self, releases: &ReleaseState) -> Self {
        // Loading refuses a file that is too large before it compares releases.
        let is_looked_at = match &self.verdict {
            Err(Error::Bundle(_)) => false,
            _ => self.is_trusted,
        };
        if is_looked_at && let Err(error) = releases.check(&self.manifest, self.digest) {
            self.verdict = Err(Error::Bundle(refusal(&error)));
        }
        self
    }

    /// Tells whether the bundle is trusted and the host's policy lets it run.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.verdict.is_ok()
    }
}

/// Reads a bundle and judges it, without compiling or running the component.
///
/// # Errors
///
/// `envelope.*`, `manifest.*`, `trust.owner`, `trust.permissions` and `io.*` when there is nothing to show.
pub fn inspect(path: &Path, trust: &TrustStore, limits: &Limits) -> Result<Inspection> {
    inspect_bundle(Bundle::open(path).or_refused()?, trust, limits)
}

/// Judges a bundle that was opened already, as [`inspect`] does.
///
/// # Errors
///
/// As [`inspect`].
pub fn inspect_bundle(bundle: Bundle, trust: &TrustStore, limits: &Limits) -> Result<Inspection> {
    // Before the bundle is trusted, only a component within the size limit is read.
    let bundle = bundle.with_max_size(limits.component.min(limits.bundle));
    let manifest = bundle.unverified_manifest().or_refused()?;
    let signatures = bundle.envelope().key_ids();
    let digest = Sha256Digest::of(bundle.envelope().payload());
    let component = bundle.unverified_component();
    let snapshot_obstacle = match &component {
        Ok(component) => snapshot::obstacle(component),
        Err(_) => None,
    };
    let surface = component
        .or_refused()
        .and_then(|component| ComponentSurface::read(&component));
    let verdict = judge(bundle.with_max_size(limits.bundle), trust, limits);
    let is_trusted = match &verdict {
        // This error comes after the signatures were verified.
        Err(Error::Bundle(refusal)) if refusal.code == "file.too-large" => true,
        Err(Error::Bundle(_) | Error::TrustUnread(_)) => false,
        _ => true,
    };
    Ok(Inspection {
        manifest,
        signatures,
        surface,
        snapshot_obstacle,
        verdict,
        digest,
        is_trusted,
    })
}

/// Refuses a bundle that is not trusted, not complete or not admitted. The manifest is checked first, so that a
/// component that is too large is not read.
fn judge(bundle: Bundle, trust: &TrustStore, limits: &Limits) -> Result<()> {
    let verified = bundle
        .verify_manifest(trust, ampoule_signing::now().or_refused()?)
        .or_refused()?;
    let admissible =
        admit_manifest(verified, limits, RequestLimits::default())?.read_component(trust)?;
    admissible.bundle().check_files().or_refused()?;
    let model = admit(admissible, &Grants::default())?;
    check_features(model.bundle.component(), Depth::Bodies)
}
