//! A model that was loaded by a host: a served model with the bundle that it came from.

use std::ops::Deref;
use std::sync::Arc;

use ampoule_sandbox::Result;
use ampoule_serve::CallOptions;
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

    /// Returns the same model, with options for the calls that are made of it: limits below those of the model, the
    /// caller that they count for, the name of the request in logs.
    ///
    /// # Errors
    ///
    /// `usage.limits` for options with which no call could be made.
    pub fn with_options(&self, options: CallOptions) -> Result<Self> {
        Ok(Self {
            served: self.served.with_options(options)?,
            bundle: Arc::clone(&self.bundle),
        })
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
