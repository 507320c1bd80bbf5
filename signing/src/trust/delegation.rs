//! One rule of trust: the keys that may sign some models, how many of them have to, the time in which the rule holds,
//! and the caps on the models.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;

use jiff::Timestamp;

use crate::bundle::envelope::MAX_SIGNATURES;
use crate::bundle::model_pattern::ModelPattern;
use crate::keys::key::PublicKey;
use crate::trust::caps::Caps;
use crate::trust::threshold::check_threshold;
use crate::values::document_kind::DocumentKind;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::trust_error::TrustError;
use crate::values::validity::{Validity, earliest};

/// A key and the time in which it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    pub(crate) key: PublicKey,
    pub(crate) validity: Validity,
}

impl TrustedKey {
    /// The key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The time in which the key counts.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }
}

/// A rule of trust. A [`TrustStore`](crate::TrustStore) is a set of them in which no model pattern
/// stands twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    pub(crate) models: BTreeSet<ModelPattern>,
    pub(crate) threshold: NonZeroU32,
    pub(crate) validity: Validity,
    pub(crate) caps: Caps,
    pub(crate) keys: BTreeMap<KeyId, TrustedKey>,
}

impl Delegation {
    /// Makes a rule for these models, without a key, with a threshold of one, and without an end.
    #[must_use]
    pub fn new(models: impl IntoIterator<Item = ModelPattern>) -> Self {
        Self {
            models: models.into_iter().collect(),
            threshold: NonZeroU32::MIN,
            validity: Validity::default(),
            caps: Caps::default(),
            keys: BTreeMap::new(),
        }
    }

    /// Trusts a key in addition to the others. For a key that is trusted already, each end that `validity` leaves
    /// open stays as it was: naming a key once more does not make it count for longer.
    #[must_use]
    pub fn with_key(self, key: PublicKey, validity: Validity) -> Self {
        let before = self.key_validity(&key.key_id()).unwrap_or_default();
        self.with_key_at(key, before.overlaid(validity))
    }

    /// Trusts a key in exactly this time, and replaces an earlier one.
    #[must_use]
    pub fn with_key_at(mut self, key: PublicKey, validity: Validity) -> Self {
        self.keys.insert(key.key_id(), TrustedKey { key, validity });
        self
    }

    /// Sets the number of different keys that have to sign.
    #[must_use]
    pub fn with_threshold(mut self, threshold: NonZeroU32) -> Self {
        self.threshold = threshold;
        self
    }

    /// The time in which the rule holds.
    #[must_use]
    pub fn with_validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// Sets the caps on the models.
    #[must_use]
    pub fn with_caps(mut self, caps: Caps) -> Self {
        self.caps = caps;
        self
    }

    /// The models, sorted.
    pub fn models(&self) -> impl Iterator<Item = &ModelPattern> {
        self.models.iter()
    }

    /// The number of different keys that have to sign.
    #[must_use]
    pub fn threshold(&self) -> NonZeroU32 {
        self.threshold
    }

    /// The time in which the rule holds.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The caps on the models.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The keys, sorted by id.
    pub fn keys(&self) -> impl Iterator<Item = &TrustedKey> {
        self.keys.values()
    }

    /// Returns true for one of the keys.
    #[must_use]
    pub fn has_key(&self, id: &KeyId) -> bool {
        self.keys.contains_key(id)
    }

    /// The time in which this key counts, if it is one of the keys.
    #[must_use]
    pub fn key_validity(&self, id: &KeyId) -> Option<Validity> {
        self.keys.get(id).map(|trusted| trusted.validity)
    }

    /// Refuses a threshold that the keys can never reach.
    pub(crate) fn check_threshold(&self) -> Result<(), String> {
        check_threshold(self.threshold, self.keys.len())
            .map_err(|reason| format!("{}: {reason}", self.names()))
    }

    /// Returns the number of keys that the threshold needs and the delegation lacks. Keys beyond those of one
    /// envelope count for nothing.
    pub(crate) fn lacking_keys(&self) -> usize {
        let most = self.keys.len().min(MAX_SIGNATURES);
        (self.threshold.get() as usize).saturating_sub(most)
    }

    /// Lists the models in one line.
    pub(crate) fn names(&self) -> String {
        let names: Vec<String> = self.models.iter().map(ToString::to_string).collect();
        names.join(", ")
    }

    /// Returns the end of the time in which `signers`, who count now, go on to count; `None` means for ever.
    pub(crate) fn holds_until(&self, signers: &[KeyId]) -> Option<Timestamp> {
        let of_keys = signers.iter().map(|id| {
            self.key_validity(id)
                .and_then(|validity| validity.not_after)
        });
        earliest(of_keys.chain([self.validity.not_after]))
    }

    /// Returns those of `signers` that count for `model` now, at least as many as the threshold. `signers` are
    /// distinct keys with a valid signature each.
    pub(crate) fn decide(
        &self,
        model: &str,
        signers: &[KeyId],
        now: Timestamp,
    ) -> Result<Vec<KeyId>> {
        if !self.validity.contains(now) {
            return Err(Error::Trust(TrustError::Validity {
                what: format!("who signs {}", self.names()),
                validity: self.validity,
                now,
            }));
        }
        let own: BTreeMap<KeyId, &TrustedKey> = signers
            .iter()
            .filter_map(|id| Some((*id, self.keys.get(id)?)))
            .collect();
        let (counting, other): (Vec<_>, Vec<_>) = own
            .iter()
            .partition(|(_, trusted)| trusted.validity.contains(now));
        let needed = self.threshold.get();
        let enough = |count: usize| count as u64 >= u64::from(needed);
        if enough(counting.len()) {
            return Ok(counting.into_iter().map(|(id, _)| *id).collect());
        }
        // Where only the time is wrong, that is what helps to know.
        if let Some((id, trusted)) = other.first().filter(|_| enough(own.len())) {
            return Err(Error::Trust(TrustError::Validity {
                what: format!("the key {id}"),
                validity: trusted.validity,
                now,
            }));
        }
        Err(Error::Trust(TrustError::Threshold {
            document: DocumentKind::Bundle,
            what: model.to_owned(),
            found: counting.into_iter().map(|(id, _)| *id).collect(),
            needed,
            keys: self.keys.len(),
        }))
    }
}

impl Delegation {
    /// Describes the rule in a few lines, with a mark on the parts that do not hold at this time.
    #[must_use]
    pub fn described_at(&self, now: Timestamp) -> String {
        self.describe(|validity| {
            if validity.contains(now) {
                validity.to_string()
            } else {
                format!("{validity}: NOT NOW")
            }
        })
    }

    fn describe(&self, time: impl Fn(Validity) -> String) -> String {
        let mut lines = vec![format!(
            "models       {}: {} of {} keys, {}",
            self.names(),
            self.threshold,
            self.keys.len(),
            time(self.validity)
        )];
        if self.check_threshold().is_err() {
            lines.push(
                "  too few    keys for the threshold, so none of these models loads until a key is added".to_owned(),
            );
        }
        if !self.caps.is_empty() {
            lines.push(format!("  at most    {}", self.caps));
        }
        for (id, trusted) in &self.keys {
            lines.push(format!("  key        {id}, {}", time(trusted.validity)));
        }
        lines.join("\n")
    }
}

/// Describes the rule in a few lines.
impl fmt::Display for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe(|validity| validity.to_string()))
    }
}
