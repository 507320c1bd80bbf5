//! Whom the host trusts at this moment, and whether a model that is loaded still is.
//!
//! Trust may change while a host runs: a key is removed, a root is followed by the next, a release is
//! revoked. What the trust directory says now decides about every new request, not what it said when
//! the model was loaded.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::SystemTime;

use ampoule_sandbox::wire::LeaseKeeper;
use ampoule_sandbox::{Error, Lease, Lessor, Result};
use ampoule_signing::{DirectoryStamp, TrustDecision, TrustStore, VerifiedBundle};

use crate::admission::policy::check_publisher;
use crate::refusal::{OrRefused as _, refusal};

/// Where a host has its trust from.
#[derive(Debug)]
pub enum TrustSource {
    /// A program that embeds the host says it.
    Store(Box<TrustStore>),
    /// A trust directory, read again when it is changed.
    Directory(PathBuf),
}

impl Default for TrustSource {
    fn default() -> Self {
        Self::Store(Box::default())
    }
}

/// A host's trust: what it is now, and where more of it comes from.
pub struct HostTrust {
    directory: Option<PathBuf>,
    current: RwLock<Arc<CurrentTrust>>,
    /// Of two that read at once, the one that read first must not have the last word.
    changing: Mutex<()>,
    /// Leases of models that other processes serve.
    sent: Mutex<Vec<Weak<LeaseKeeper>>>,
}

/// What is trusted from one change to the next.
pub(crate) struct CurrentTrust {
    /// Which change it came with.
    generation: u64,
    /// A directory that is refused trusts nobody: it may have been changed to take trust back.
    store: std::result::Result<TrustStore, Arc<ampoule_signing::Error>>,
    stamp: Option<DirectoryStamp>,
}

impl HostTrust {
    /// Returns which change of the trust is in force.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.current().generation()
    }

    /// Reads the trust for the first time.
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

    /// What is trusted now.
    pub(crate) fn current(&self) -> Arc<CurrentTrust> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Trusts this store from now on.
    pub fn replace(&self, store: TrustStore) {
        self.set(|generation| CurrentTrust {
            generation,
            store: Ok(store),
            stamp: None,
        });
    }

    /// Reads the directory again, if the trust is from one.
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
                "the trust was changed, and nobody is trusted by it"
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
        // A store that the program itself put in place stays until it is told to read again.
        if seen.is_some_and(|seen| seen != DirectoryStamp::of(directory)) {
            // Whoever asks for something is told what is wrong.
            let _ = self.reload();
        }
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

    /// How many changes there were before it.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whom to trust.
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

    /// Looks at the signatures again, and at what the model asks for.
    fn renew(&self) -> Result<Lease> {
        let trust = self.trust.current();
        let now = ampoule_signing::now().or_refused()?;
        let decision = self.bundle.verify_again(trust.store()?, now).or_refused()?;
        check_publisher(self.bundle.manifest(), decision.caps())?;
        Ok(lease(&decision, &trust))
    }
}

/// Returns the lease that a decision by this trust makes for.
pub(crate) fn lease(decision: &TrustDecision, by: &CurrentTrust) -> Lease {
    Lease::new(by.generation, decision.holds_until().map(SystemTime::from))
}
