//! The host: a loader and a server, and the trust in force for both.

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
    /// One permit to read the trust directory again: one reader at a time is enough.
    reloading: Semaphore,
    /// Looks at the trust directory and at the models that are followed.
    watcher: Watcher,
    /// Watches the trust directory for as long as there is a host.
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

    /// Returns the limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.inner.server.limits()
    }

    /// Reads the trust directory again, at once. The directory as it is now decides about new requests; requests that
    /// have begun go on. For a host that was given a store, this is a no-op.
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
    /// The store decides about new requests to models that are loaded, too.
    pub fn replace_trust(&self, trust: TrustStore) {
        self.inner.trust.replace(trust);
    }

    pub(crate) fn watcher(&self) -> &Watcher {
        &self.inner.watcher
    }

    /// Returns the number of the last change of the trust.
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
        let (loader, server) = (&self.inner.loader, &self.inner.server);
        loader.close();
        let is_over = server.drain_after(patience, loader.all_over()).await;
        if !is_over {
            loader.stop();
        }
        is_over
    }

    /// Loads the bundle at `path`: verifies it, checks it against the policy, compiles it and
    /// initialises it once. None of that happens on the caller's thread. [`Limits::loads`] run at once and
    /// [`Limits::waiting_loads`] wait for them; dropping the future leaves the line, or stops the load. On a busy
    /// host, a load waits for a slot for the model's first sandbox.
    ///
    /// Of loads of one model that are asked for at the same time, one compiles the model. When that one fails, all that
    /// wait for it fail with the same error; a load that is asked for afterwards tries again.
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
    /// ([`Bundle::from_memory`]). The bundle goes through the same checks as one on disk: this host's trust,
    /// its policy, and every file's digest. [`Bundle::with_expected`] makes it refuse to be any other model.
    ///
    /// # Errors
    ///
    /// As [`Host::load`].
    pub async fn load_bundle(&self, bundle: Bundle) -> Result<Model> {
        self.load_bundle_with(bundle, &LoadOptions::default()).await
    }

    /// Loads a bundle that was opened already, as [`Host::load_bundle`] does, with these options.
    /// [`LoadOptions::permissions`] has no effect here: opening the bundle has checked its files.
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
        let served = self
            .inner
            .server
            .serve_holding(loaded, receipt.turn())
            .await;
        // Those who wait for the same code are told of a failure before this load's turn ends and one repeats it.
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
