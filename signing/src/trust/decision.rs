//! What a trust store says about one model at one moment.

use jiff::Timestamp;

use crate::digest::Sha256Digest;
use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::key::KeyId;
use crate::manifest::Manifest;
use crate::signers::valid_signers;
use crate::trust::caps::Caps;
use crate::trust::delegation::Delegation;
use crate::trust::error::TrustError;
use crate::trust::revocation_list::{RevocationList, Revoked};
use crate::trust::store::TrustStore;

/// That a model is trusted: by whose signatures, with what, and how long the answer is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDecision {
    pub(crate) signers: Vec<KeyId>,
    pub(crate) caps: Caps,
    pub(crate) holds_until: Option<Timestamp>,
}

impl TrustDecision {
    /// The keys whose signatures counted: as many as the trust in the model asks for, each once.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// What the model's manifest may ask for. The host compares the two.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The last moment at which the same store is sure to answer the same: the first end among those of
    /// whatever the answer rests on. Without one it holds as long as the store does.
    #[must_use]
    pub fn holds_until(&self) -> Option<Timestamp> {
        self.holds_until
    }

    /// With one more end that it rests on.
    pub(crate) fn until(mut self, end: Option<Timestamp>) -> Self {
        self.holds_until = earliest([self.holds_until, end]);
        self
    }
}

/// The known keys that signed something.
pub(crate) struct Signers {
    /// Those that are not revoked, at least one.
    valid: Vec<KeyId>,
    /// Why one of the others does not count.
    revoked: Option<Error>,
}

impl TrustStore {
    /// Refuses to believe a root whose time is over, and to decide without a fresh revocation list
    /// where one is needed.
    pub(crate) fn check_fresh(&self, now: Timestamp) -> Result<()> {
        if let Some(root) = &self.root {
            root.check_fresh(now)?;
        }
        self.revocation.check_fresh(now)
    }

    /// The known keys that signed, each once, and those of them that are not revoked.
    ///
    /// # Errors
    ///
    /// What [`valid_signers`] refuses, `trust.revoked` when all are.
    pub(crate) fn signers(&self, envelope: &Envelope) -> Result<Signers> {
        let known = valid_signers(envelope, |id| self.key(id))?;
        let (mut valid, mut revoked) = (Vec::new(), None);
        for id in known {
            match self.check_revoked(Revoked::Key(id)) {
                Ok(()) => valid.push(id),
                Err(error) => revoked = revoked.or(Some(error)),
            }
        }
        match revoked {
            Some(error) if valid.is_empty() => Err(error),
            revoked => Ok(Signers { valid, revoked }),
        }
    }

    /// Refuses what is revoked, with `trust.revoked`.
    pub(crate) fn check_revoked(&self, what: Revoked) -> Result<()> {
        match &self.revocation.list {
            Some(list) => list.check(what),
            None => Ok(()),
        }
    }

    /// Whether any component is revoked.
    pub(crate) fn revokes_components(&self) -> bool {
        let list = self.revocation.list.as_ref();
        list.is_some_and(RevocationList::has_components)
    }

    /// Whether the model of this manifest, with this digest, is trusted, and what it may ask for: the
    /// lowest of the caps on its delegation and on all.
    ///
    /// # Errors
    ///
    /// `trust.publisher`, `trust.model`, `trust.validity`, `trust.threshold`, `trust.revoked`.
    pub(crate) fn decide(
        &self,
        manifest: &Manifest,
        digest: Sha256Digest,
        signers: Signers,
        now: Timestamp,
    ) -> Result<TrustDecision> {
        let Signers { valid, revoked } = signers;
        let decision = match self.decide_by_keys(manifest, valid, now) {
            Ok(decision) => decision,
            // With the revoked keys it might have been enough: that is what helps to know.
            Err(error) => return Err(revoked.unwrap_or(error)),
        };
        self.check_revoked(Revoked::Manifest(digest))?;
        Ok(decision
            .until(self.root.as_ref().map(|root| root.expires))
            .until(self.revocation.fresh_until()))
    }

    fn decide_by_keys(
        &self,
        manifest: &Manifest,
        signers: Vec<KeyId>,
        now: Timestamp,
    ) -> Result<TrustDecision> {
        let (publisher, name) = (manifest.publisher(), manifest.name());
        match self.delegation_for(publisher, name) {
            Some(delegation) if signers.iter().any(|id| delegation.has_key(id)) => {
                let model = format!("{publisher}/{name}");
                let signers = delegation.decide(&model, &signers, now)?;
                Ok(TrustDecision {
                    holds_until: delegation.holds_until(&signers),
                    signers,
                    caps: self.caps.lowest(&delegation.caps),
                })
            }
            _ => Err(self.not_theirs(manifest, signers)),
        }
    }

    /// Why none of the known keys that signed will do.
    fn not_theirs(&self, manifest: &Manifest, signers: Vec<KeyId>) -> Error {
        let publisher = manifest.publisher().to_owned();
        let others: Vec<String> = self
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

/// The first of the ends that there are.
pub(crate) fn earliest(ends: impl IntoIterator<Item = Option<Timestamp>>) -> Option<Timestamp> {
    ends.into_iter().flatten().min()
}
