//! A model that was loaded by a host: a served model with the bundle that it came from.

use std::ops::Deref;
use std::sync::Arc;

use ampoule_signing::{Envelope, KeyId, Manifest, Sha256Digest, VerifiedBundle};

/// A verified, admitted and compiled model. Clones are the same model; requests may run on several
/// at once, each in a sandbox of its own.
///
/// Requests are methods of the [served model](ampoule_serve::Model) that it derefs to.
#[derive(Clone, Debug)]
pub struct Model {
    served: ampoule_serve::Model,
    bundle: Arc<VerifiedBundle>,
}

impl Model {
    pub(crate) fn new(served: ampoule_serve::Model, bundle: Arc<VerifiedBundle>) -> Self {
        Self { served, bundle }
    }

    /// Returns the signed manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.bundle.manifest()
    }

    /// Returns the digest of the manifest's signed bytes: the model's identity.
    #[must_use]
    pub fn manifest_digest(&self) -> Sha256Digest {
        self.bundle.manifest_digest()
    }

    /// Returns the trusted keys that signed it.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        self.bundle.signers()
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        self.bundle.envelope()
    }
}

impl Deref for Model {
    type Target = ampoule_serve::Model;

    fn deref(&self) -> &Self::Target {
        &self.served
    }
}
