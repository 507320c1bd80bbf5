//! Which keys may speak for which publishers, or sign which models.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::directory::Directory;
use crate::error::{Error, Result, printable};
use crate::key::{KeyId, PublicKey};
use crate::names::check_identity;
use crate::permissions::Rule;
use crate::trust_toml;

/// The name of the store's file in the trust directory.
pub const TRUST_FILE: &str = "trust.toml";
/// What two `ampoule trust add` at once take turns on, so that neither loses what the other adds.
const LOCK_FILE: &str = "trust.lock";
/// The longest `trust.toml`: some thousands of keys.
const MAX_TRUST_BYTES: u64 = 1 << 20;

/// The keys that a host trusts, each bound to the publishers that it may speak for, to single models
/// that it may sign, or to both.
///
/// ```
/// use ampoule_signing::{SecretKey, TrustStore};
///
/// let key = SecretKey::generate()?;
/// let mut trust = TrustStore::new();
/// trust.insert(key.public_key().clone(), ["acme"])?;
/// assert!(trust.may_speak_for(&key.public_key().key_id(), "acme"));
/// # Ok::<(), ampoule_signing::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustStore {
    keys: BTreeMap<KeyId, TrustedKey>,
}

/// One key, the publishers that it may speak for, and the models that it may sign besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    key: PublicKey,
    publishers: BTreeSet<String>,
    /// Publisher and name.
    models: BTreeSet<(String, String)>,
}

impl TrustedKey {
    /// The key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The publishers, sorted.
    pub fn publishers(&self) -> impl Iterator<Item = &str> {
        self.publishers.iter().map(String::as_str)
    }

    /// The models that it may sign beyond those of its publishers, as publisher and name, sorted.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        self.models
            .iter()
            .map(|(publisher, name)| (publisher.as_str(), name.as_str()))
    }
}

impl TrustStore {
    /// A store that trusts nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `trust.toml` in the directory `dir`.
    ///
    /// # Errors
    ///
    /// `trust.missing` when there is none, `trust.permissions` when others than the owner may
    /// change it or the directory, `trust.malformed`, `trust.malformed-key` and `trust.weak-key`
    /// when its content is refused. A store is read whole or not at all.
    pub fn open(dir: &Path) -> Result<Self> {
        let directory = Directory::open(dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::TrustMissing,
            _ => Error::io("open the trust directory")(error),
        })?;
        Self::read(&directory)?.ok_or(Error::TrustMissing)
    }

    /// Changes the store in the directory `dir`, which is made if it is not there: reads it under a
    /// lock, applies `change`, and replaces the file atomically (mode 0600 in a directory of mode
    /// 0700). When `change` fails, the store stays as it is.
    ///
    /// # Errors
    ///
    /// As [`TrustStore::open`], `io.failed`, and what `change` returns.
    pub fn update<T>(dir: &Path, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(Error::io("make the trust directory"))?;
        let directory = Directory::open(dir).map_err(Error::io("open the trust directory"))?;
        directory.check(Rule::OwnerWrites, "the trust directory")?;
        let lock = directory
            .open_lock(LOCK_FILE)
            .map_err(Error::io("lock the trust store"))?;
        lock.lock().map_err(Error::io("lock the trust store"))?;
        let mut store = Self::read(&directory)?.unwrap_or_default();
        let answer = change(&mut store)?;
        directory
            .replace(TRUST_FILE, trust_toml::write(&store)?.as_bytes(), 0o600)
            .map_err(Error::io("write trust.toml"))?;
        Ok(answer)
    }

    fn read(directory: &Directory) -> Result<Option<Self>> {
        directory.check(Rule::OwnerWrites, "the trust directory")?;
        let bytes = match directory.read_bounded(TRUST_FILE, MAX_TRUST_BYTES, Rule::OwnerWrites) {
            Err(Error::FileMissing { .. }) => return Ok(None),
            other => other?.map_err(|found| Error::TrustMalformed {
                reason: format!("expected at most {MAX_TRUST_BYTES} bytes, found {found}"),
            })?,
        };
        let text = String::from_utf8(bytes).map_err(|_| Error::TrustMalformed {
            reason: "it is not UTF-8".to_owned(),
        })?;
        trust_toml::parse(&text).map(Some)
    }

    /// Lets `key` speak for `publishers`, in addition to those that it already speaks for.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for no publisher at all or a name that none can have.
    pub fn insert<N: Into<String>>(
        &mut self,
        key: PublicKey,
        publishers: impl IntoIterator<Item = N>,
    ) -> Result<KeyId> {
        let publishers: BTreeSet<String> = publishers.into_iter().map(Into::into).collect();
        if publishers.is_empty() {
            let reason = "a key needs at least one publisher that it may speak for".to_owned();
            return Err(Error::TrustMalformed { reason });
        }
        for publisher in &publishers {
            check_name("publisher", publisher)?;
        }
        let (id, trusted) = self.entry(key);
        trusted.publishers.extend(publishers);
        Ok(id)
    }

    /// Lets `key` sign this one model of this one publisher, in addition to what it may do already.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for a publisher or a name that none can have.
    pub fn insert_model(&mut self, key: PublicKey, publisher: &str, name: &str) -> Result<KeyId> {
        check_name("publisher", publisher)?;
        check_name("model", name)?;
        let (id, trusted) = self.entry(key);
        trusted
            .models
            .insert((publisher.to_owned(), name.to_owned()));
        Ok(id)
    }

    fn entry(&mut self, key: PublicKey) -> (KeyId, &mut TrustedKey) {
        let id = key.key_id();
        let trusted = self.keys.entry(id).or_insert_with(|| TrustedKey {
            key,
            publishers: BTreeSet::new(),
            models: BTreeSet::new(),
        });
        (id, trusted)
    }

    /// Forgets a key, and says whether it was known.
    pub fn remove(&mut self, key: &KeyId) -> bool {
        self.keys.remove(key).is_some()
    }

    /// Whether nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All keys, sorted by id.
    pub fn keys(&self) -> impl Iterator<Item = &TrustedKey> {
        self.keys.values()
    }

    /// The key of this id, if it is trusted.
    #[must_use]
    pub fn key(&self, id: &KeyId) -> Option<&PublicKey> {
        self.keys.get(id).map(TrustedKey::public_key)
    }

    /// The publishers that a key may speak for, sorted; none for a stranger.
    pub fn publishers_of(&self, key: &KeyId) -> impl Iterator<Item = &str> {
        self.keys
            .get(key)
            .into_iter()
            .flat_map(TrustedKey::publishers)
    }

    /// The models that a key may sign beyond those of its publishers, as publisher and name, sorted;
    /// none for a stranger.
    pub fn models_of(&self, key: &KeyId) -> impl Iterator<Item = (&str, &str)> {
        self.keys.get(key).into_iter().flat_map(TrustedKey::models)
    }

    /// Whether this key may sign the model `name` of this publisher.
    #[must_use]
    pub fn may_sign(&self, key: &KeyId, publisher: &str, name: &str) -> bool {
        self.may_speak_for(key, publisher)
            || self.models_of(key).any(|model| model == (publisher, name))
    }

    /// Whether this key may speak for this publisher, whatever the model.
    #[must_use]
    pub fn may_speak_for(&self, key: &KeyId, publisher: &str) -> bool {
        self.keys
            .get(key)
            .is_some_and(|trusted| trusted.publishers.contains(publisher))
    }
}

/// `what` says whose name it is.
fn check_name(what: &str, name: &str) -> Result<()> {
    check_identity(name).map_err(|reason| Error::TrustMalformed {
        reason: format!("the {what} {:?}: {reason}", printable(name)),
    })
}
