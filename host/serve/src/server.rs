//! The serving half of a host: takes loaded models and answers requests to them.

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use ampoule_sandbox::code::engine::{EngineProfile, new_engine};
use ampoule_sandbox::code::native_code::CodeMapping;
use ampoule_sandbox::imports::clocks::ClockResolution;
use ampoule_sandbox::limits_check::{check_limits, check_threads};
use ampoule_sandbox::slots::Slots;
use ampoule_sandbox::{Error, Limits, LoadedModel, Result, off_thread};
use tokio::sync::oneshot;
use wasmtime::Engine;

use crate::counters::{Counters, Observer, Totals};
use crate::model::Model;
use crate::places::Places;
use crate::sandbox::KernelsMaker;
use crate::sandbox::linked_code::LinkedCode;
use crate::sandbox::served_model::ServedModel;
use crate::schedule::chores::Chore;
use crate::schedule::executor::Executor;
use crate::serving::Serving;

/// Settings of a [`Server`]. Write them with `..ServerSettings::default()`.
#[derive(Clone, Default)]
pub struct ServerSettings {
    /// The limits on requests and on what is held for them.
    pub limits: Limits,
    /// The profile of the engine. Only code of this profile is served.
    pub profile: EngineProfile,
    /// The way in which the engine gets at code: without opening a file, or with less memory.
    pub mapping: CodeMapping,
    /// The resolution of guests' clocks; 1 ms without it.
    pub clock: Option<Duration>,
    /// Guests that run at a time; one for each core without it.
    pub threads: Option<usize>,
    /// Threads that compute layers for models that were granted `host-kernels`; each guest's own without it.
    pub kernel_threads: Option<usize>,
    /// A hook that is told of each request.
    pub observer: Option<Arc<dyn Observer>>,
}

impl fmt::Debug for ServerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSettings")
            .field("limits", &self.limits)
            .field("profile", &self.profile)
            .field("mapping", &self.mapping)
            .field("clock", &self.clock)
            .field("threads", &self.threads)
            .field("kernel_threads", &self.kernel_threads)
            .finish_non_exhaustive()
    }
}

/// Answers requests to models that were loaded. Clones are the same server.
///
/// A server compiles nothing, trusts nobody by itself and reads no file.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    serving: Arc<Serving>,
    engine: Engine,
    profile: EngineProfile,
    mapping: CodeMapping,
    /// Linked code by identity.
    code: Slots<[u8; 32], LinkedCode>,
    kernels: Arc<KernelsMaker>,
}

impl Server {
    /// Starts a server's threads.
    ///
    /// # Errors
    ///
    /// `usage.limits`, `io.thread`, `io.system`, `internal.bug`.
    pub fn start(settings: ServerSettings) -> Result<Self> {
        check_limits(&settings.limits)?;
        check_threads("threads", settings.threads)?;
        check_threads("kernel_threads", settings.kernel_threads)?;
        let clock = match settings.clock {
            Some(resolution) => ClockResolution::new(resolution)?,
            None => ClockResolution::default(),
        };
        let threads = settings
            .threads
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        let limits = settings.limits;
        let engine = new_engine(settings.profile, &limits, threads)?;
        let kernel_threads = settings.kernel_threads.unwrap_or(1);
        let kernels = Arc::new(KernelsMaker::new(kernel_threads, threads)?);
        let executor = Executor::new(&engine, threads, limits.queue)?;
        let places = Arc::new(Places::new(limits.sandboxes));
        Ok(Self {
            inner: Arc::new(Inner {
                serving: Arc::new(Serving {
                    limits,
                    executor,
                    places,
                    clock,
                    totals: Totals::new(settings.observer),
                    models: Arc::new(()),
                }),
                engine,
                profile: settings.profile,
                mapping: settings.mapping,
                code: Slots::default(),
                kernels,
            }),
        })
    }

    /// Returns the limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.serving.limits
    }

    /// Serves a loaded model: links its code, packs its layers, and makes a first sandbox of it. None of that happens
    /// on the caller's thread. Models with the same code share it.
    ///
    /// # Errors
    ///
    /// `admission.import`, `admission.task` and `limit.instances` for code that does not fit the contract;
    /// `usage.host-kernels`, `compile.failed`, `io.*`; and what a request can fail with.
    pub async fn serve(&self, loaded: LoadedModel) -> Result<Model> {
        self.serve_holding(loaded, ()).await
    }

    /// Serves a loaded model as [`Server::serve`] does, and keeps `held` for as long as a thread works on it, whether or
    /// not anybody waits. A loader bounds its loads by that.
    ///
    /// # Errors
    ///
    /// As [`Server::serve`].
    pub async fn serve_holding(
        &self,
        loaded: LoadedModel,
        held: impl Send + 'static,
    ) -> Result<Model> {
        if loaded.profile != self.inner.profile {
            return Err(Error::internal(
                "a model of another profile was to be served",
            ));
        }
        let turn = self.inner.code.turn(&loaded.code.identity).await;
        let (code, loaded) = match turn.value() {
            Some(code) => (code, loaded),
            None => {
                let inner = Arc::clone(&self.inner);
                let linked = off_thread(move || {
                    // Both stay with the thread: the next load of this code waits for it, whoever has gone.
                    let (mut turn, _held) = (turn, held);
                    let linked =
                        LinkedCode::link(&inner.engine, &loaded, inner.mapping, &inner.kernels)?;
                    let linked = Arc::new(linked);
                    turn.share(&linked);
                    Ok((linked, loaded))
                });
                linked.await?
            }
        };
        let serving = Arc::clone(&self.inner.serving);
        let counted = Arc::clone(&serving.models);
        let served = Arc::new(ServedModel::new(loaded, code, counted));
        Model::describe(serving, served).await
    }

    /// Returns the counters and gauges of this moment.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let serving = &self.inner.serving;
        let lengths = serving.executor.lengths();
        Counters {
            waiting: lengths.waiting,
            waiting_steps: lengths.continued,
            running: lengths.running,
            sandboxes: serving.places.taken(),
            models: Arc::strong_count(&serving.models) - 1,
            ..serving.totals.counters()
        }
    }

    /// Ends serving: accepts no new request, and waits until those that were accepted are answered, generations to their
    /// last chunk. Whatever is not over after `patience` is stopped, and its callers are told `limit.busy`.
    ///
    /// Returns true when nothing had to be stopped.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.drain_after(patience, async {}).await
    }

    /// Ends serving as [`Server::drain`] does, once `others` is over: loads whose models come here, for example. Waiting
    /// for it counts against `patience`.
    pub async fn drain_after(&self, patience: Duration, others: impl Future<Output = ()>) -> bool {
        let serving = &self.inner.serving;
        serving.executor.begin_draining();
        let (sender, time_is_up) = oneshot::channel();
        // Without an end where none can be said.
        let kept = match Instant::now().checked_add(patience) {
            Some(due) => {
                serving.executor.add_chore(Chore::once(due, move || {
                    let _ = sender.send(());
                }));
                None
            }
            None => Some(sender),
        };
        let ended = async {
            others.await;
            // Requests that wait need places, so these are asked for only when nobody waits.
            serving.executor.has_no_new().await;
            // Each sandbox has one until it is gone, one that is held for a next chunk too.
            serving.places.all_free().await
        };
        let is_over = tokio::select! {
            biased;
            is_over = ended => is_over,
            _ = time_is_up => false,
        };
        drop(kept);
        if !is_over {
            serving.executor.stop();
        }
        is_over
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("limits", self.limits())
            .field("profile", &self.inner.profile)
            .finish_non_exhaustive()
    }
}
