//! Whom the host trusts at this moment, and whether a model that is loaded still is.
//!
//! Trust may change while a host runs: a key is removed, a root is followed by the next, a release is
//! revoked. What the trust directory says now decides about every new request, not what it said when
//! the model was loaded.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ampoule_signing::{DirectoryStamp, Timestamp, TrustDecision, TrustStore, VerifiedBundle};

use crate::admission::check_publisher;
use crate::error::{Error, Result};
use crate::watch::Watch;

/// Where a host has its trust from.
#[derive(Debug)]
pub(crate) enum TrustSource {
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
pub(crate) struct HostTrust {
    directory: Option<PathBuf>,
    current: RwLock<Arc<CurrentTrust>>,
    /// Of two that read at once, the one that read first must not have the last word.
    changing: Mutex<()>,
}

/// What is trusted from one change to the next.
pub(crate) struct CurrentTrust {
    /// Which change it came with.
    generation: u64,
    /// A directory that is refused trusts nobody: it may have been changed to take trust back.
    store: std::result::Result<TrustStore, Arc<ampoule_signing::Error>>,
    stamp: Option<DirectoryStamp>,
}

/// What was last found out about one loaded model.
#[derive(Debug)]
pub(crate) struct ModelTrust {
    last: Mutex<Verdict>,
}

/// A good answer, and for how long it need not be asked for again.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    generation: u64,
    until: Option<Timestamp>,
}

impl HostTrust {
    /// Reads the trust for the first time.
    pub(crate) fn open(source: TrustSource) -> Result<Arc<Self>> {
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
        }))
    }

    /// Looks at the directory, if the trust is from one, for as long as what this returns is kept.
    pub(crate) fn watch(self: &Arc<Self>) -> Result<Option<Watch>> {
        if self.directory.is_none() {
            return Ok(None);
        }
        let trust = Arc::clone(self);
        Watch::start("ampoule-trust", move |_| trust.look()).map(Some)
    }

    /// What is trusted now.
    pub(crate) fn current(&self) -> Arc<CurrentTrust> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Trusts this store from now on.
    pub(crate) fn replace(&self, store: TrustStore) {
        self.set(|generation| CurrentTrust {
            generation,
            store: Ok(store),
            stamp: None,
        });
    }

    /// Reads the directory again, if the trust is from one.
    pub(crate) fn reload(&self) -> Result<()> {
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
    }

    /// Reads the directory again if it was changed.
    fn look(&self) {
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
        self.store.as_ref().map_err(|error| Error::TrustUnread {
            source: Arc::clone(error),
        })
    }
}

impl ModelTrust {
    /// That this decision was made by this trust.
    pub(crate) fn new(decision: &TrustDecision, by: &CurrentTrust) -> Self {
        Self {
            last: Mutex::new(Verdict::new(decision, by)),
        }
    }

    /// Refuses a request to a model that is not trusted any more. The signatures are looked at again only
    /// when the trust has changed, or when something that the last answer rests on has come to its end.
    pub(crate) fn check(&self, bundle: &VerifiedBundle, trust: &CurrentTrust) -> Result<()> {
        let now = ampoule_signing::now()?;
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.generation == trust.generation && last.until.is_none_or(|until| now <= until) {
            return Ok(());
        }
        let decision = bundle.verify_again(trust.store()?, now)?;
        check_publisher(bundle.manifest(), decision.caps())?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Verdict::new(&decision, trust);
        Ok(())
    }
}

impl Verdict {
    fn new(decision: &TrustDecision, by: &CurrentTrust) -> Self {
        Self {
            generation: by.generation,
            until: decision.holds_until(),
        }
    }
}
