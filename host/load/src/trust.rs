//! The trust that is in force, and the decision about models that are loaded already.
//!
//! Trust may change while a host runs: a key is removed, a root is followed by the next, a release is
//! revoked. Each new request is decided by the trust directory as it is now, not as it was when the model was loaded.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use ampoule_sandbox::{Error, Lease, Lessor, Result};
use ampoule_signing::{DirectoryStamp, TrustDecision, TrustStore, VerifiedBundle};

use crate::admission::policy::check_publisher;
use crate::refusal::{OrRefused as _, refusal};

/// Source of a host's trust.
#[derive(Debug)]
pub enum TrustSource {
    /// A store that the embedding program has made.
    Store(Box<TrustStore>),
    /// A trust directory. It is read again after a change.
    Directory(PathBuf),
}

impl Default for TrustSource {
    fn default() -> Self {
        Self::Store(Box::default())
    }
}

/// A host's trust, which may change while models are served.
pub struct HostTrust {
    directory: Option<PathBuf>,
    current: RwLock<Arc<CurrentTrust>>,
    /// Held while the trust is read and replaced. Of two threads that read at once, the one that read first would
    /// otherwise replace the newer trust.
    changing: Mutex<()>,
    /// Leases of models that other processes serve.
    told: Mutex<Vec<Tell>>,
}

/// Trust between two changes.
pub(crate) struct CurrentTrust {
    /// Number of changes before this trust.
    generation: u64,
    /// An error for a directory that cannot be read or is refused. Nobody is trusted then, since the change may have
    /// taken trust back.
    store: std::result::Result<TrustStore, Arc<ampoule_signing::Error>>,
    stamp: Option<DirectoryStamp>,
}

impl HostTrust {
    /// Returns the number of changes so far.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.current().generation()
    }

    /// Reads the trust for the first time.
    ///
    /// # Errors
    ///
    /// `trust.*` and `io.*` when a directory cannot be read or is refused.
    pub fn open(source: TrustSource) -> Result<Arc<Self>> {
        let (directory, current) = match source {
            TrustSource::Store(store) => (None, CurrentTrust::first(*store)),
            TrustSource::Directory(directory) => {
                let current = CurrentTrust::read(&directory, 0);
                // Nothing has changed yet: a directory that cannot be used now is refused as such.
                current.store().map_err(|error| match error {
                    Error::TrustUnread(refusal) => Error::Bundle(refusal),
                    other => other,
                })?;
                (Some(directory), current)
            }
        };
        Ok(Self::of(directory, current))
    }

    fn of(directory: Option<PathBuf>, current: CurrentTrust) -> Arc<Self> {
        Arc::new(Self {
            directory,
            current: RwLock::new(Arc::new(current)),
            changing: Mutex::default(),
            told: Mutex::default(),
        })
    }

    /// Makes a trust that is this store for ever.
    pub(crate) fn fixed(store: TrustStore) -> Arc<Self> {
        Self::of(None, CurrentTrust::first(store))
    }

    /// Calls `tell` now, since the trust may have changed since a model was loaded, and after each change, until it
    /// returns false.
    fn on_change(&self, tell: Tell) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // With a trust that never changes, those whose lease has ended are found here.
        if told.len() >= MIN_PRUNED && told.len().is_power_of_two() {
            told.retain(|tell| tell());
        }
        if tell() {
            told.push(tell);
        }
    }

    /// Tells whether the trust is from a directory, which may change.
    #[must_use]
    pub fn is_from_directory(&self) -> bool {
        self.directory.is_some()
    }

    /// Returns the trust that is in force.
    pub(crate) fn current(&self) -> Arc<CurrentTrust> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the trust by this store.
    pub fn replace(&self, store: TrustStore) {
        self.set(|generation| CurrentTrust {
            generation,
            store: Ok(store),
            stamp: None,
        });
    }

    /// Reads the directory again; a no-op when the trust is a store of the program.
    ///
    /// # Errors
    ///
    /// As [`HostTrust::open`]. Nobody is trusted then.
    pub fn reload(&self) -> Result<()> {
        if let Some(directory) = &self.directory {
            self.set(|generation| CurrentTrust::read(directory, generation));
        }
        self.current().store().map(drop)
    }

    fn set(&self, new: impl FnOnce(u64) -> CurrentTrust) {
        self.set_if(|_| true, new);
    }

    /// Changes the trust, unless another change came first.
    fn set_if(
        &self,
        is_as_seen: impl FnOnce(&CurrentTrust) -> bool,
        new: impl FnOnce(u64) -> CurrentTrust,
    ) {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current();
        if !is_as_seen(&current) {
            return;
        }
        let new = new(current.generation + 1);
        match &new.store {
            Ok(_) => tracing::info!(target: "ampoule::trust", "the trust was changed"),
            Err(error) => tracing::error!(
                target: "ampoule::trust",
                code = error.code(), %error,
                "the trust directory was changed and cannot be used; nobody is trusted until it is mended"
            ),
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|tell| tell());
    }

    /// Reads the directory again if it was changed.
    pub fn look(&self) {
        let Some(directory) = &self.directory else {
            return;
        };
        let seen = self.current().stamp.clone();
        // A store that the program has put in place stays until `reload`.
        let Some(seen) = seen.filter(|seen| *seen != DirectoryStamp::of(directory)) else {
            return;
        };
        let read = |generation| CurrentTrust::read(directory, generation);
        // The error is kept, and refuses each request.
        self.set_if(|current| current.stamp.as_ref() == Some(&seen), read);
    }
}

impl fmt::Debug for HostTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostTrust")
            .field("directory", &self.directory)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

impl CurrentTrust {
    fn first(store: TrustStore) -> Self {
        Self {
            generation: 0,
            store: Ok(store),
            stamp: None,
        }
    }

    fn read(directory: &Path, generation: u64) -> Self {
        let stamp = Some(DirectoryStamp::of(directory));
        Self {
            generation,
            store: TrustStore::open(directory).map_err(Arc::new),
            stamp,
        }
    }

    /// Returns the number of changes before this trust.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the store, or `trust.*` when the directory is refused.
    pub(crate) fn store(&self) -> Result<&TrustStore> {
        let store = self.store.as_ref();
        store.map_err(|error| Error::TrustUnread(refusal(error)))
    }
}

/// Leases from which on those that have ended are looked for when a model is sent.
const MIN_PRUNED: usize = 64;

/// Tells a process that serves of a change of trust; false when there is nobody left to tell.
type Tell = Box<dyn Fn() -> bool + Send + Sync>;

/// Decides about one loaded model for as long as it is served.
pub(crate) struct ModelLessor {
    pub(crate) trust: Arc<HostTrust>,
    pub(crate) bundle: Arc<VerifiedBundle>,
}

impl Lessor for ModelLessor {
    fn generation(&self) -> u64 {
        self.trust.current().generation()
    }

    /// Verifies the signatures again, and compares the manifest with the publisher's caps.
    fn renew(&self) -> Result<Lease> {
        let trust = self.trust.current();
        let now = ampoule_signing::now().or_refused()?;
        let decision = self.bundle.verify_again(trust.store()?, now).or_refused()?;
        check_publisher(self.bundle.manifest(), decision.caps())?;
        Ok(lease(&decision, &trust))
    }

    fn on_change(&self, tell: Tell) {
        self.trust.on_change(tell);
    }
}

/// Returns the lease that follows from a decision by this trust.
pub(crate) fn lease(decision: &TrustDecision, by: &CurrentTrust) -> Lease {
    Lease::new(by.generation, decision.holds_until().map(SystemTime::from))
}
