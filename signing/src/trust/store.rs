//! The rules about models, the same for `trust.toml` and for a signed root.

use std::collections::{BTreeMap, BTreeSet};

use ampoule_units::ParseError;

use crate::bundle::model_pattern::ModelPattern;
use crate::keys::key::PublicKey;
use crate::trust::caps::Caps;
use crate::trust::delegation::Delegation;
use crate::trust::revocation_list::{RevocationList, SignedRevocations};
use crate::trust::revocation_policy::{RevocationAuthority, RevocationMode, RevocationPolicy};
use crate::trust::root_info::RootInfo;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::trust_error::TrustError;
use crate::values::validity::Validity;

/// The most delegations: far more than people look through, and far fewer than a document could hold.
pub const MAX_DELEGATIONS: usize = 1024;
/// The most patterns in all delegations together, for the same reason.
pub const MAX_PATTERNS: usize = 16_384;

/// The rules of a host: a set of [`Delegation`]s.
///
/// One delegation decides about a model, alone: the one that names the model (`acme/minilm`), else the
/// one that names all of its publisher's (`acme/*`). So a delegation for a single model may ask for
/// more keys than the rest, or for other ones. No pattern stands in two delegations.
///
/// ```
/// use std::num::NonZeroU32;
///
/// use ampoule_signing::{Delegation, SecretKey, TrustStore, Validity};
///
/// let (one, two) = (SecretKey::generate()?, SecretKey::generate()?);
/// let mut trust = TrustStore::new();
/// // Whatever acme publishes takes one signature; this model takes two.
/// trust.insert(one.public_key().clone(), ["acme"])?;
/// trust.insert_delegation(
///     Delegation::new(["acme/minilm".parse()?])
///         .with_key(one.public_key().clone(), Validity::default())
///         .with_key(two.public_key().clone(), Validity::default())
///         .with_threshold(NonZeroU32::new(2).unwrap()),
/// )?;
/// assert_eq!(trust.delegation_for("acme", "minilm").unwrap().threshold().get(), 2);
/// assert_eq!(trust.delegation_for("acme", "other").unwrap().threshold().get(), 1);
/// assert!(trust.delegation_for("stranger", "minilm").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustStore {
    /// Sorted, so that a store has one written form.
    delegations: Vec<Delegation>,
    /// Index of each pattern in `delegations`. A stranger's root is read before its signatures are verified, so that
    /// the time for reading one must grow no faster than its length.
    places: BTreeMap<ModelPattern, usize>,
    caps: Caps,
    revocation: RevocationPolicy,
    root: Option<RootInfo>,
}

impl TrustStore {
    /// Makes a store that trusts nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a store of a document's content.
    pub(crate) fn from_parts(
        delegations: Vec<Delegation>,
        caps: Caps,
        revocation: RevocationPolicy,
        root: Option<RootInfo>,
    ) -> Result<Self> {
        let mut store = Self {
            caps,
            revocation,
            root,
            ..Self::default()
        };
        store.set_delegations(delegations)?;
        Ok(store)
    }

    /// Replaces the delegations. When one breaks a rule, the store stays as it was.
    fn set_delegations(&mut self, mut delegations: Vec<Delegation>) -> Result<()> {
        if delegations.len() > MAX_DELEGATIONS {
            return Err(refused(format!(
                "expected at most {MAX_DELEGATIONS} delegations, found {}",
                delegations.len()
            )));
        }
        delegations.sort_by(|one, other| one.models.cmp(&other.models));
        let mut places = BTreeMap::new();
        for (place, delegation) in delegations.iter().enumerate() {
            if delegation.models.is_empty() {
                return Err(refused(
                    "a delegation needs at least one pattern in `models`",
                ));
            }
            for pattern in &delegation.models {
                if places.insert(pattern.clone(), place).is_some() {
                    return Err(refused(format!("two delegations name {pattern}")));
                }
            }
        }
        if places.len() > MAX_PATTERNS {
            return Err(refused(format!(
                "expected at most {MAX_PATTERNS} patterns in all `models`, found {}",
                places.len()
            )));
        }
        self.delegations = delegations;
        self.places = places;
        Ok(())
    }

    /// Lets `key` sign all models of these publishers, in addition to the keys that may already.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for no publisher at all, a name that none can have, and what
    /// [`TrustStore::edit`] refuses.
    pub fn insert<N: Into<String>>(
        &mut self,
        key: PublicKey,
        publishers: impl IntoIterator<Item = N>,
    ) -> Result<KeyId> {
        let id = key.key_id();
        let publishers: BTreeSet<String> = publishers.into_iter().map(Into::into).collect();
        if publishers.is_empty() {
            return Err(refused(
                "a key needs at least one publisher that it may speak for",
            ));
        }
        for publisher in publishers {
            let pattern = ModelPattern::new(&publisher, None).map_err(refused_text)?;
            self.insert_key(key.clone(), pattern)?;
        }
        Ok(id)
    }

    /// Lets `key` sign this one model, in addition to the keys that may already.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for a publisher or a name that none can have, and what
    /// [`TrustStore::edit`] refuses.
    pub fn insert_model(&mut self, key: PublicKey, publisher: &str, name: &str) -> Result<KeyId> {
        let id = key.key_id();
        let pattern = ModelPattern::new(publisher, Some(name)).map_err(refused_text)?;
        self.insert_key(key, pattern)?;
        Ok(id)
    }

    fn insert_key(&mut self, key: PublicKey, pattern: ModelPattern) -> Result<()> {
        self.edit(pattern, |delegation| {
            Ok(delegation.with_key(key, Validity::default()))
        })
        .map(drop)
    }

    /// Changes the delegation for exactly this pattern, or makes one, and returns the result.
    ///
    /// A new delegation for a single model starts with the threshold, the time and the caps of its publisher's
    /// delegation, but without its keys. A lower threshold must be set on purpose.
    ///
    /// # Errors
    ///
    /// `trust.malformed` when the delegation covers other models too, which would change with it, and
    /// when it would lack more keys than before for its threshold; the error of `change`. The store is
    /// then as it was.
    pub fn edit(
        &mut self,
        pattern: ModelPattern,
        change: impl FnOnce(Delegation) -> Result<Delegation>,
    ) -> Result<&Delegation> {
        let place = self.place_of(&pattern);
        let old = match place {
            None => self.new_delegation(&pattern),
            Some(place) => self.delegations[place].clone(),
        };
        if old.models.len() > 1 {
            return Err(refused(format!(
                "{} share one delegation, which would change for all of them; edit the file and give {pattern} one \
                 of its own first",
                old.names()
            )));
        }
        // After keys were lost, whatever mends it is welcome, and whatever makes it tighter.
        let lacking = place.map_or(0, |_| old.lacking_keys());
        let new = change(old)?;
        if new.lacking_keys() > lacking {
            new.check_threshold().map_err(refused)?;
        }
        let mut delegations = self.delegations.clone();
        match place {
            Some(place) => delegations[place] = new,
            None => delegations.push(new),
        }
        self.set_delegations(delegations)?;
        self.delegation_of(&pattern)
            .ok_or(Error::Internal("a delegation"))
    }

    fn new_delegation(&self, pattern: &ModelPattern) -> Delegation {
        let new = Delegation::new([pattern.clone()]);
        let wide = pattern
            .name()
            .and_then(|name| self.delegation_for(pattern.publisher(), name));
        match wide {
            None => new,
            Some(wide) => new
                .with_threshold(wide.threshold)
                .with_validity(wide.validity)
                .with_caps(wide.caps.clone()),
        }
    }

    /// Adds a delegation.
    ///
    /// # Errors
    ///
    /// `trust.malformed` when it names no model, or one that another delegation names already, and above
    /// [`MAX_DELEGATIONS`] or [`MAX_PATTERNS`]. The store is then as it was.
    pub fn insert_delegation(&mut self, delegation: Delegation) -> Result<()> {
        let mut delegations = self.delegations.clone();
        delegations.push(delegation);
        self.set_delegations(delegations)
    }

    /// Takes a key out of all delegations. Returns true if it was in one.
    ///
    /// Nothing else changes, so nothing becomes easier to sign, not even later. Each delegation keeps its threshold,
    /// caps and time; one without keys stays and trusts nobody. Only [`TrustStore::remove_delegation`] and
    /// [`TrustStore::remove_publisher`] remove delegations.
    pub fn remove(&mut self, key: &KeyId) -> bool {
        let mut was_there = false;
        for delegation in &mut self.delegations {
            was_there |= delegation.keys.remove(key).is_some();
        }
        was_there
    }

    /// Removes the delegation for exactly this pattern. Returns true if there was one. A wider delegation may decide
    /// in its place from now on.
    pub fn remove_delegation(&mut self, pattern: &ModelPattern) -> bool {
        self.forget(|own| own == pattern)
    }

    /// Removes all delegations for models of this publisher. Returns true if there were any. Nobody is trusted to
    /// sign for the publisher from now on.
    pub fn remove_publisher(&mut self, publisher: &str) -> bool {
        self.forget(|own| own.publisher() == publisher)
    }

    /// Takes these patterns out of the delegations, and removes delegations without patterns.
    fn forget(&mut self, is_meant: impl Fn(&ModelPattern) -> bool) -> bool {
        let before = self.places.len();
        for delegation in &mut self.delegations {
            delegation.models.retain(|own| !is_meant(own));
        }
        self.delegations
            .retain(|delegation| !delegation.models.is_empty());
        self.delegations
            .sort_by(|one, other| one.models.cmp(&other.models));
        self.places = (self.delegations.iter().enumerate())
            .flat_map(|(place, delegation)| {
                delegation.models().map(move |own| (own.clone(), place))
            })
            .collect();
        self.places.len() < before
    }

    /// Returns true if no key is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.delegations
            .iter()
            .all(|delegation| delegation.keys.is_empty())
    }

    /// All delegations, sorted by their models.
    #[must_use]
    pub fn delegations(&self) -> &[Delegation] {
        &self.delegations
    }

    /// The signed root that this store came from, if it came from one.
    #[must_use]
    pub fn root(&self) -> Option<&RootInfo> {
        self.root.as_ref()
    }

    /// Caps on all models, whoever signed them.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// Sets the caps on all models, whoever signed them.
    pub fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
    }

    /// The signers of the revocation lists that this store obeys. Without them it obeys none.
    #[must_use]
    pub fn revocation_authority(&self) -> Option<&RevocationAuthority> {
        self.revocation.authority()
    }

    /// Sets the signers of the revocation lists that this store obeys. A list by other signers is forgotten.
    pub fn set_revocation_authority(&mut self, authority: Option<RevocationAuthority>) {
        self.revocation.set_authority(authority);
    }

    /// Behaviour without a fresh revocation list.
    #[must_use]
    pub fn revocation_mode(&self) -> RevocationMode {
        self.revocation.mode()
    }

    /// Sets the behaviour without a fresh revocation list.
    pub fn set_revocation_mode(&mut self, mode: RevocationMode) {
        self.revocation.set_mode(mode);
    }

    /// The newest revocation list that was accepted.
    #[must_use]
    pub fn revocations(&self) -> Option<&RevocationList> {
        self.revocation.list()
    }

    /// Obeys a revocation list from now on, in place of an older one. An expired list is obeyed too.
    ///
    /// # Errors
    ///
    /// `trust.revocations-authority` when nobody may sign one for this store; `signature.missing`,
    /// `signature.invalid`, `trust.unknown-key`, `trust.threshold` for its signatures;
    /// `trust.malformed`; `trust.revocations-name` for one of another name;
    /// `trust.revocations-rollback` for one that is not newer. The store is then as it was.
    pub fn accept_revocations(&mut self, signed: &SignedRevocations) -> Result<()> {
        self.revocation.accept(signed)
    }

    pub(crate) fn revocation(&self) -> &RevocationPolicy {
        &self.revocation
    }

    /// The delegation with exactly this pattern.
    #[must_use]
    pub fn delegation_of(&self, pattern: &ModelPattern) -> Option<&Delegation> {
        self.place_of(pattern).map(|place| &self.delegations[place])
    }

    fn place_of(&self, pattern: &ModelPattern) -> Option<usize> {
        self.places.get(pattern).copied()
    }

    /// The delegation that alone decides about this model: the one for the model itself, else the one for all of its
    /// publisher's.
    #[must_use]
    pub fn delegation_for(&self, publisher: &str, name: &str) -> Option<&Delegation> {
        [Some(name), None].into_iter().find_map(|name| {
            // What can be no model's name has no delegation.
            self.delegation_of(&ModelPattern::new(publisher, name).ok()?)
        })
    }

    /// The key of this id, if it is trusted for anything.
    #[must_use]
    pub fn key(&self, id: &KeyId) -> Option<&PublicKey> {
        self.delegations
            .iter()
            .find_map(|delegation| delegation.keys.get(id))
            .map(|trusted| &trusted.key)
    }

    /// All keys that are trusted for anything, each once, sorted by id.
    #[must_use]
    pub fn keys(&self) -> Vec<&PublicKey> {
        let keys: BTreeMap<KeyId, &PublicKey> = self
            .delegations
            .iter()
            .flat_map(|delegation| &delegation.keys)
            .map(|(id, trusted)| (*id, &trusted.key))
            .collect();
        keys.into_values().collect()
    }

    /// Returns true if this key's signature counts for this model, at some time.
    #[must_use]
    pub fn may_sign(&self, key: &KeyId, publisher: &str, name: &str) -> bool {
        self.delegation_for(publisher, name)
            .is_some_and(|delegation| delegation.has_key(key))
    }
}

fn refused(reason: impl Into<String>) -> Error {
    Error::Trust(TrustError::Malformed {
        document: "the trust store",
        reason: reason.into(),
    })
}

fn refused_text(error: ParseError) -> Error {
    refused(error.to_string())
}
