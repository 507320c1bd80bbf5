//! The host: a loader, a server, and the trust that both go by.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ampoule_load::{
    HostTrust, LoadCounters, LoadOptions, Loader, ReleaseRule, RollbackProtection, Terms,
};
use ampoule_sandbox::{Error, Limits, Result, off_thread};
use ampoule_serve::{Counters, Server};
use ampoule_signing::{Bundle, TrustStore};
use tokio::sync::Semaphore;

use crate::model::Model;
use crate::watch::{Watch, Watcher};

/// Runs models that it trusts, within limits. Clones are the same host.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    loader: Loader,
    server: Server,
    trust: Arc<HostTrust>,
    /// The turn to read the trust directory again: one reader is enough.
    reloading: Semaphore,
    /// Looks at the trust directory and at the models that are followed.
    watcher: Watcher,
    /// The trust directory is watched for as long as there is a host.
    _trust_watch: Option<Watch>,
}

/// A host at one moment; see [`Host::counters`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostCounters {
    /// The half that answers requests.
    pub serving: Counters,
    /// The half that loads models.
    pub loading: LoadCounters,
}

impl Host {
    /// Puts the halves together.
    pub(crate) fn of(loader: Loader, server: Server, trust: Arc<HostTrust>) -> Result<Self> {
        let watcher = Watcher::default();
        let trust_watch = if trust.is_from_directory() {
            let watched = Arc::clone(&trust);
            Some(watcher.watch(move |_| {
                watched.look();
                None
            })?)
        } else {
            None
        };
        Ok(Self {
            inner: Arc::new(Inner {
                loader,
                server,
                trust,
                reloading: Semaphore::new(1),
                watcher,
                _trust_watch: trust_watch,
            }),
        })
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.inner.server.limits()
    }

    /// Reads the trust directory again, at once. New requests are decided by what it says now; those that
    /// have begun go on. A host that was given a store has nothing to read.
    ///
    /// # Errors
    ///
    /// Those of [`TrustStore::open`]. Nobody is trusted then, until the directory is put right.
    pub async fn reload_trust(&self) -> Result<()> {
        let turn = self.inner.reloading.acquire().await;
        let _turn = turn.map_err(|_| Error::internal("nobody may read the trust"))?;
        let trust = Arc::clone(&self.inner.trust);
        off_thread(move || trust.reload()).await
    }

    /// Trusts this store from now on, for a program that keeps its trust elsewhere than in a directory.
    /// New requests to models that are loaded are decided by it too.
    pub fn replace_trust(&self, trust: TrustStore) {
        self.inner.trust.replace(trust);
    }

    pub(crate) fn watcher(&self) -> &Watcher {
        &self.inner.watcher
    }

    /// Which change of the trust the host is at.
    pub(crate) fn trust_generation(&self) -> u64 {
        self.inner.trust.generation()
    }

    /// Returns the counters and gauges of this moment.
    #[must_use]
    pub fn counters(&self) -> HostCounters {
        HostCounters {
            serving: self.inner.server.counters(),
            loading: self.inner.loader.counters(),
        }
    }

    /// Ends the host's work: accepts no new load and no new request (`limit.busy`), and waits until those that were
    /// accepted are over, generations to their last chunk. Whatever is not over after `patience` is stopped, and its
    /// callers are told `limit.busy`.
    ///
    /// Returns true when nothing had to be stopped.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.inner.loader.close();
        self.inner.server.drain(patience).await
    }

    /// Loads the bundle at `path`: verifies it, checks it against the policy, compiles it and
    /// initialises it once. None of that happens on the caller's thread. [`Limits::loads`] run at once and
    /// [`Limits::waiting_loads`] wait for them; dropping the future leaves the line, or stops the load. On a host
    /// that is busy it waits for a place for the model's first sandbox.
    ///
    /// Of loads of one model that are asked for at the same time, one compiles it. When that fails, all that
    /// wait for it fail alike; a load that is asked for afterwards tries again.
    ///
    /// # Errors
    ///
    /// Any code but `input.*`; nothing of a bundle that is not trusted is compiled or run.
    pub async fn load(&self, path: impl Into<PathBuf>) -> Result<Model> {
        self.load_with(path, LoadOptions::default()).await
    }

    /// Loads the bundle at `path`, as [`Host::load`] does, if it is what the options ask for.
    ///
    /// # Errors
    ///
    /// As [`Host::load`]; `trust.identity` for a model that is trusted and not the one asked for.
    pub async fn load_with(&self, path: impl Into<PathBuf>, options: LoadOptions) -> Result<Model> {
        let path = path.into();
        let (rollback, terms) = (options.rollback, options.terms());
        self.load_from(move || options.open(&path), rollback, terms)
            .await
    }

    /// Loads a bundle that was opened already, such as one that is in memory
    /// ([`Bundle::from_memory`]). It goes through the same checks as one on disk: this host's trust,
    /// its policy, and every file's digest. Which model it has to be, the bundle itself can be told
    /// ([`Bundle::with_expected`]).
    ///
    /// # Errors
    ///
    /// As [`Host::load`].
    pub async fn load_bundle(&self, bundle: Bundle) -> Result<Model> {
        self.load_bundle_with(bundle, &LoadOptions::default()).await
    }

    /// Loads a bundle that was opened already, as [`Host::load_bundle`] does, with these options. Which
    /// permissions its files have to have was decided when it was opened.
    ///
    /// # Errors
    ///
    /// As [`Host::load_with`].
    pub async fn load_bundle_with(&self, bundle: Bundle, options: &LoadOptions) -> Result<Model> {
        let bundle = match &options.expected {
            Some(expected) => bundle.with_expected(expected.clone()),
            None => bundle,
        };
        self.load_from(move || Ok(bundle), options.rollback, options.terms())
            .await
    }

    async fn load_from(
        &self,
        open: impl FnOnce() -> Result<Bundle> + Send + 'static,
        rollback: RollbackProtection,
        terms: Terms,
    ) -> Result<Model> {
        let rule = ReleaseRule {
            rollback,
            serving: None,
        };
        let result = self.load_silently(open, rule, terms).await;
        match &result {
            Ok(model) => {
                let manifest = model.manifest();
                tracing::info!(
                    target: "ampoule::load",
                    publisher = manifest.publisher(),
                    model = manifest.name(),
                    version = %manifest.version(),
                    release = manifest.release(),
                    manifest = %model.manifest_digest(),
                    "loaded"
                );
            }
            Err(error) => {
                tracing::warn!(target: "ampoule::load", code = error.code(), %error, "refused");
            }
        }
        result
    }

    /// Loads without logging the outcome.
    pub(crate) async fn load_silently(
        &self,
        open: impl FnOnce() -> Result<Bundle> + Send + 'static,
        rule: ReleaseRule,
        terms: Terms,
    ) -> Result<Model> {
        let (loaded, receipt) = self.inner.loader.load(open, rule, terms).await?;
        // Before the code is gone that those who wait would share.
        let served = self.inner.server.serve(loaded).await;
        let served = served.inspect_err(|error| receipt.failed(error))?;
        Ok(Model::new(served, receipt.served().await?))
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("loader", &self.inner.loader)
            .field("server", &self.inner.server)
            .finish_non_exhaustive()
    }
}
