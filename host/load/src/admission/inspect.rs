//! Looking at a bundle without running anything of it.

use std::path::Path;

use ampoule_sandbox::{Error, Limits, RequestLimits, Result};
use ampoule_signing::{Bundle, KeyId, Manifest, ReleaseState, Sha256Digest, TrustStore};

use crate::admission::grants::Grants;
use crate::admission::guest_features::{Depth, check_features};
use crate::admission::policy::{admit, admit_manifest};
use crate::admission::surface::ComponentSurface;
use crate::code::snapshot;
use crate::refusal::{OrRefused as _, refusal};

/// What a bundle says of itself, what it really contains, and what a host would make of it.
///
/// Only [`Inspection::verdict`] is the result of checks. Everything else is what the bundle says,
/// to show to a person and never to act on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The manifest, **unverified**.
    pub manifest: Manifest,
    /// The keys that the signatures name, **unverified**.
    pub signatures: Vec<KeyId>,
    /// What the component imports and exports; an error when its bytes are not those that the
    /// manifest describes, or no component.
    pub surface: Result<ComponentSurface>,
    /// Why each sandbox of it would run `init`, as far as the component's bytes tell; `None` when
    /// nothing speaks against a snapshot. What `init` leaves behind may still prevent one:
    /// `Model::sandbox_start` knows.
    pub snapshot_obstacle: Option<String>,
    /// Nothing for a bundle that is trusted and admitted, and the reason for any other. Compiling and
    /// initialising it, which is not done here, may still fail. Which releases a host remembers is only asked by
    /// [`Inspection::after`].
    pub verdict: Result<()>,
    /// The digest of the manifest's bytes, **unverified**.
    digest: Sha256Digest,
    is_trusted: bool,
}

impl Inspection {
    /// Returns true for a bundle that is whole and that somebody signed whom this host trusts for it,
    /// whether or not the host's policy lets it run. A trusted bundle that is larger than the host reads
    /// is trusted; its files were not looked at.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Holds a trusted bundle against the releases that were run before, as loading does: the verdict on one that
    /// may not follow them is `trust.rollback`, `trust.release-reused` or `trust.releases-full`; on any while
    /// `releases` cannot be read, the reason for that.
    #[must_use]
    pub fn after(mut self, releases: &ReleaseState) -> Self {
        // A file that is too large is found before releases are looked at.
        let is_looked_at = match &self.verdict {
            Err(Error::Bundle(_)) => false,
            _ => self.is_trusted,
        };
        if is_looked_at && let Err(error) = releases.check(&self.manifest, self.digest) {
            self.verdict = Err(Error::Bundle(refusal(&error)));
        }
        self
    }

    /// Returns true for a bundle that is trusted and that the host's policy lets run.
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
    // Until it is trusted, nothing but a component of a size that would be admitted is read.
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
        // Found out when everything that is signed has been believed.
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

/// Refuses a bundle that is not trusted, not whole or not admitted. What its manifest asks for comes first: a
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
