//! The trust that is in force, and the decision about models that are loaded already.
//!
//! Trust may change while a host runs: a key is removed, a root is followed by the next, a release is
//! revoked. Each new request is decided by the trust directory as it is now, not as it was when the model was loaded.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::SystemTime;

use ampoule_sandbox::wire::LeaseKeeper;
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
    sent: Mutex<Vec<Weak<LeaseKeeper>>>,
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
            TrustSource::Store(store) => {
                let current = CurrentTrust {
                    generation: 0,
                    store: Ok(*store),
                    stamp: None,
                };
                (None, current)
            }
            TrustSource::Directory(directory) => {
                let current = CurrentTrust::read(&directory, 0);
                current.store()?;
                (Some(directory), current)
            }
        };
        Ok(Arc::new(Self {
            directory,
            current: RwLock::new(Arc::new(current)),
            changing: Mutex::default(),
            sent: Mutex::default(),
        }))
    }

    /// Tells a process that serves a model of each change of trust, for as long as there is the lease. The first time
    /// is now: the trust may have changed since the model was loaded.
    pub fn announce_to(&self, lease: &Arc<LeaseKeeper>) {
        self.sent().push(Arc::downgrade(lease));
        // One that cannot be told is over by that.
        let _ = lease.announce();
    }

    fn sent(&self) -> MutexGuard<'_, Vec<Weak<LeaseKeeper>>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
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
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let new = new(self.current().generation + 1);
        match &new.store {
            Ok(_) => tracing::info!(target: "ampoule::trust", "the trust was changed"),
            Err(error) => tracing::error!(
                target: "ampoule::trust",
                code = error.code(), %error,
                "the trust directory was changed and cannot be used; nobody is trusted until it is mended"
            ),
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        let is_told = |lease: &Weak<LeaseKeeper>| lease.upgrade()?.announce().ok();
        self.sent().retain(|lease| is_told(lease).is_some());
    }

    /// Reads the directory again if it was changed.
    pub fn look(&self) {
        let Some(directory) = &self.directory else {
            return;
        };
        let seen = self.current().stamp.clone();
        // A store that the program has put in place stays until `reload`.
        if seen.is_some_and(|seen| seen != DirectoryStamp::of(directory)) {
            // The error is kept, and refuses each request.
            let _ = self.reload();
        }
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
}

/// Returns the lease that follows from a decision by this trust.
pub(crate) fn lease(decision: &TrustDecision, by: &CurrentTrust) -> Lease {
    Lease::new(by.generation, decision.holds_until().map(SystemTime::from))
}
