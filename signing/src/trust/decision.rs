//! A trust store's decision about one model at one moment.

use jiff::Timestamp;

use crate::bundle::envelope::Envelope;
use crate::bundle::manifest::Manifest;
use crate::trust::caps::Caps;
use crate::trust::delegation::Delegation;
use crate::trust::signers::valid_signers;
use crate::trust::store::TrustStore;
use crate::values::digest::Sha256Digest;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::revoked::Revoked;
use crate::values::trust_error::TrustError;
use crate::values::validity::earliest;

/// A decision to trust a model: the signers that counted, the caps on the model, and the end of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDecision {
    signers: Vec<KeyId>,
    caps: Caps,
    holds_until: Option<Timestamp>,
}

impl TrustDecision {
    /// The keys whose signatures counted, each once: at least as many as the rule asks for.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// Caps on the model's manifest. The host compares the two.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The last moment at which the same store is sure to decide the same: the earliest end of everything that the
    /// decision rests on. `None` means for as long as the store does not change.
    #[must_use]
    pub fn holds_until(&self) -> Option<Timestamp> {
        self.holds_until
    }

    /// Adds an end that the decision rests on.
    pub(crate) fn until(mut self, end: Option<Timestamp>) -> Self {
        self.holds_until = earliest([self.holds_until, end]);
        self
    }
}

/// The known keys that signed something.
pub(crate) struct Signers {
    /// The keys that are not revoked, at least one.
    valid: Vec<KeyId>,
    /// The error about one of the others.
    revoked: Option<Error>,
}

/// Decides by what one store says at one moment.
pub(crate) struct Decider<'s> {
    store: &'s TrustStore,
    now: Timestamp,
}

impl<'s> Decider<'s> {
    /// Refuses to decide by a root whose time is over, and without a fresh revocation list where one is needed.
    ///
    /// # Errors
    ///
    /// `trust.root-expired`, `trust.revocations-missing`, `trust.revocations-expired`.
    pub(crate) fn at(store: &'s TrustStore, now: Timestamp) -> Result<Self> {
        if let Some(root) = store.root() {
            root.check_fresh(now)?;
        }
        store.revocation().check_fresh(now)?;
        Ok(Self { store, now })
    }

    /// Returns the known keys that signed, each once, apart from those that are revoked.
    ///
    /// # Errors
    ///
    /// Those of [`valid_signers`]; `trust.revoked` when all are.
    pub(crate) fn signers(&self, envelope: &Envelope) -> Result<Signers> {
        let known = valid_signers(envelope, |id| self.store.key(id))?;
        let (mut valid, mut revoked) = (Vec::new(), None);
        for id in known {
            match self.store.revocation().check(Revoked::Key(id)) {
                Ok(()) => valid.push(id),
                Err(error) => revoked = revoked.or(Some(error)),
            }
        }
        match revoked {
            Some(error) if valid.is_empty() => Err(error),
            revoked => Ok(Signers { valid, revoked }),
        }
    }

    /// Decides about the model of this manifest, which has this digest. The model may ask for the lower of the caps
    /// on its delegation and of those on all models.
    ///
    /// # Errors
    ///
    /// `trust.publisher`, `trust.model`, `trust.validity`, `trust.threshold`, `trust.revoked`.
    pub(crate) fn decide(
        &self,
        manifest: &Manifest,
        digest: Sha256Digest,
        signers: Signers,
    ) -> Result<TrustDecision> {
        let Signers { valid, revoked } = signers;
        let decision = match self.decide_by_keys(manifest, valid) {
            Ok(decision) => decision,
            // The revoked keys might have made it enough, so their error helps more than the count.
            Err(error) => return Err(revoked.unwrap_or(error)),
        };
        let revocation = self.store.revocation();
        revocation.check(Revoked::Manifest(digest))?;
        Ok(decision
            .until(self.store.root().map(|root| root.expires))
            .until(revocation.fresh_until()))
    }

    fn decide_by_keys(&self, manifest: &Manifest, signers: Vec<KeyId>) -> Result<TrustDecision> {
        let (publisher, name) = (manifest.publisher(), manifest.name());
        match self.store.delegation_for(publisher, name) {
            Some(delegation) if signers.iter().any(|id| delegation.has_key(id)) => {
                let model = format!("{publisher}/{name}");
                let signers = delegation.decide(&model, &signers, self.now)?;
                Ok(TrustDecision {
                    holds_until: delegation.holds_until(&signers),
                    signers,
                    caps: self.store.caps().lowest(&delegation.caps),
                })
            }
            _ => Err(self.not_theirs(manifest, signers)),
        }
    }

    /// Explains why none of the known keys that signed counts for this model.
    fn not_theirs(&self, manifest: &Manifest, signers: Vec<KeyId>) -> Error {
        let publisher = manifest.publisher().to_owned();
        let others: Vec<String> = self
            .store
            .delegations()
            .iter()
            .filter(|delegation| signers.iter().any(|id| delegation.has_key(id)))
            .flat_map(Delegation::models)
            .filter(|pattern| pattern.publisher() == publisher)
            .map(|pattern| {
                if pattern.is_one_model() {
                    pattern.to_string()
                } else {
                    // It would match, if the model had no delegation of its own.
                    format!("{pattern} without those that have keys of their own")
                }
            })
            .collect();
        if others.is_empty() {
            return Error::Trust(TrustError::Publisher { publisher, signers });
        }
        Error::Trust(TrustError::Model {
            model: format!("{publisher}/{}", manifest.name()),
            allowed: others.join(", "),
            signers,
        })
    }
}
