//! The host: what it trusts, what it allows, and loading models into it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ampoule_signing::{Bundle, Manifest, ReleaseState, Timestamp, TrustStore};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

use crate::admission::{AdmittedModel, admit, admit_manifest};
use crate::aot_cache::CodeCache;
use crate::artifact::{Artifact, link};
use crate::assets::AssetFiles;
use crate::clocks::ClockResolution;
use crate::code_identity::CodeIdentity;
use crate::code_store::{CodeStore, CodeTurn, LockWait};
use crate::compile::{CompiledFacts, compile};
use crate::compile_message::CompileRequest;
use crate::compile_process::CompileProcess;
use crate::engine::{BuildEngines, EngineProfile, new_engine};
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::host_kernels::{Capability, Grants, KernelThreads, PackedLayers};
use crate::limits::Limits;
use crate::limits_check::{check_limits, check_request_limits, check_threads};
use crate::load_options::{LoadOptions, RequestLimits, RollbackProtection, Terms};
use crate::loads::{LoadTurn, Loads};
use crate::model::Model;
use crate::native_code::NativeCode;
use crate::release_rule::ReleaseRule;
use crate::snapshot::{Init, LastWords};
use crate::trust::{HostTrust, ModelTrust, TrustSource};
use crate::watch::Watch;

/// Runs models that it trusts, within limits. Clones are the same host.
#[derive(Clone)]
pub struct Host {
    inner: Arc<HostInner>,
}

pub(crate) struct HostInner {
    pub(crate) limits: Limits,
    pub(crate) executor: Executor,
    /// One permit for each sandbox that may be alive.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) trust: Arc<HostTrust>,
    pub(crate) clock: ClockResolution,
    loads: Loads,
    /// Whose turn it is to read the trust directory again: one reader is enough.
    reloading: Semaphore,
    engine: Engine,
    profile: EngineProfile,
    code: CodeStore,
    compiler: Option<CompileProcess>,
    grants: Grants,
    kernel_threads: Arc<KernelThreads>,
    releases: Option<ReleaseState>,
    /// Looks at the trust directory for as long as there is a host.
    _trust_watch: Option<Watch>,
}

/// Settings of a [`Host`]; see [`Host::builder`].
#[derive(Debug, Default)]
pub struct HostBuilder {
    trust: TrustSource,
    releases: Option<ReleaseState>,
    limits: Limits,
    profile: EngineProfile,
    clock: Option<Duration>,
    threads: Option<usize>,
    allowed: Vec<Capability>,
    kernel_threads: Option<usize>,
    cache: Option<CodeCache>,
    compiler: Option<CompileProcess>,
}

impl HostBuilder {
    /// Whom to trust. Without it nobody is trusted and every model is refused.
    #[must_use]
    pub fn trust(mut self, trust: TrustStore) -> Self {
        self.trust = TrustSource::Store(Box::new(trust));
        self
    }

    /// The trust directory that says whom to trust: now, and whenever it is changed. It is looked at
    /// every second; [`Host::reload_trust`] does not wait for that. From then on a model that is not
    /// trusted any more, or that asks for more than it may now, gets no new request: it fails with the
    /// code that loading it would fail with. While the directory cannot be read or is refused, nobody is
    /// trusted.
    #[must_use]
    pub fn trust_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.trust = TrustSource::Directory(directory.into());
        self
    }

    /// Where to remember which release of each model was run, so that no older one follows it. Without it
    /// nothing is remembered, and an old bundle with a valid signature is as good as a new one.
    #[must_use]
    pub fn releases(mut self, releases: ReleaseState) -> Self {
        self.releases = Some(releases);
        self
    }

    /// What models and requests may cost.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How guests are compiled and metered.
    #[must_use]
    pub fn profile(mut self, profile: EngineProfile) -> Self {
        self.profile = profile;
        self
    }

    /// What the clocks of requests are rounded down to, from 1 µs to 1 s. Without it, 1 ms: the finer a
    /// clock is, the better a guest can tell from the time that something takes what else this machine
    /// does. In the deterministic profile the clocks stand still.
    #[must_use]
    pub fn clock_resolution(mut self, resolution: Duration) -> Self {
        self.clock = Some(resolution);
        self
    }

    /// Where compiled models are kept from one run of the program to the next. Without it, every model is
    /// initialised and compiled when it is loaded.
    #[must_use]
    pub fn code_cache(mut self, cache: CodeCache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The program that initialises and compiles models, in a process of its own for each, under
    /// [`Limits::compile`](crate::Limits). Without it both happen in this process: `init` is bounded there
    /// as well, and a panic is survived, but what compiling a component takes in time and memory nobody
    /// bounds.
    #[must_use]
    pub fn compile_with(mut self, process: CompileProcess) -> Self {
        self.compiler = Some(process);
        self
    }

    /// How many guests run at a time. Without it, one for each core.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Lets models have a capability that name it in their signed manifest. Without it, none is granted:
    /// such a model runs all the same, and does what it can without. In the deterministic profile none is
    /// granted either.
    ///
    /// `host-kernels` makes what a model can reach of this process larger than the sandbox: see
    /// `SECURITY.md`.
    #[must_use]
    pub fn allow(mut self, capability: Capability) -> Self {
        self.allowed.push(capability);
        self
    }

    /// How many threads multiply for the models that were granted `host-kernels`, all of them together.
    /// Without it, or with 1, each guest's own thread does.
    #[must_use]
    pub fn kernel_threads(mut self, threads: usize) -> Self {
        self.kernel_threads = Some(threads);
        self
    }

    /// Starts the host's threads.
    ///
    /// # Errors
    ///
    /// `usage.limits`, `io.thread`, `io.system`, `internal.bug`; for a trust directory, what [`TrustStore::open`]
    /// refuses.
    pub fn build(self) -> Result<Host> {
        check_limits(&self.limits)?;
        check_threads("threads", self.threads)?;
        check_threads("kernel_threads", self.kernel_threads)?;
        let clock = match self.clock {
            Some(resolution) => ClockResolution::new(resolution)?,
            None => ClockResolution::default(),
        };
        let trust = HostTrust::open(self.trust)?;
        let threads = self
            .threads
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        let engine = new_engine(self.profile, &self.limits, threads)?;
        let kernel_threads = Arc::new(KernelThreads::new(self.kernel_threads.unwrap_or(1))?);
        let executor = Executor::new(&engine, threads, self.limits.queue)?;
        let places = Arc::new(Semaphore::new(
            self.limits.sandboxes.min(Semaphore::MAX_PERMITS),
        ));
        Ok(Host {
            inner: Arc::new(HostInner {
                loads: Loads::new(&self.limits),
                reloading: Semaphore::new(1),
                limits: self.limits,
                executor,
                places,
                engine,
                profile: self.profile,
                code: CodeStore::new(self.cache),
                compiler: self.compiler,
                grants: Grants::new(&self.allowed, self.profile),
                kernel_threads,
                _trust_watch: trust.watch()?,
                trust,
                clock,
                releases: self.releases,
            }),
        })
    }
}

impl Host {
    /// A host with the default limits that trusts nobody yet.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Reads the trust directory again, at once. New requests are decided by what it says now; those that
    /// have begun go on. A host that was given a store has nothing to read.
    ///
    /// # Errors
    ///
    /// What [`TrustStore::open`] refuses. Nobody is trusted then, until it is put right.
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

    /// Which change of the trust the host is at.
    pub(crate) fn trust_generation(&self) -> u64 {
        self.inner.trust.current().generation()
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
        self.load_with(path, LoadOptions::new()).await
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
        self.load_bundle_with(bundle, &LoadOptions::new()).await
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
        let result = self.start(open, rule, terms).await;
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

    /// All of a load, but for telling of it.
    pub(crate) async fn start(
        &self,
        open: impl FnOnce() -> Result<Bundle> + Send + 'static,
        rule: ReleaseRule,
        terms: Terms,
    ) -> Result<Model> {
        check_request_limits(terms.at_most)?;
        let turn = self.inner.loads.enter().await?;
        // Whoever stops waiting for the model stops its `init`.
        let cancelled = CancellationToken::new();
        let _guard = cancelled.clone().drop_guard();
        let rollback = rule.rollback;
        let (inner, kept) = (Arc::clone(&self.inner), Arc::clone(&turn));
        let admitted = off_thread(move || {
            // A load counts for as long as a thread works on it, whoever waits.
            let _kept = kept;
            inner.admit(open()?, &rule, terms)
        })
        .await?;
        let (identity, is_recorded) = (admitted.identity, admitted.is_recorded);
        // Without a thread: another load may be compiling this very model.
        let code = self.inner.code.turn(&identity).await;
        let (inner, kept) = (Arc::clone(&self.inner), Arc::clone(&turn));
        let artifact = off_thread(move || inner.make(admitted, code, &kept, &cancelled)).await?;
        let described = Model::describe(Arc::clone(&self.inner), Arc::clone(&artifact)).await;
        // Before the code is gone that those who wait would share.
        let model = described.inspect_err(|error| {
            // One that was given less than it asks for says nothing to those that wait with more.
            if terms.at_most == RequestLimits::default() {
                turn.failed(&identity, error);
            }
        })?;
        // Only now is it known to run. A release that does not load must not shut out the last that did.
        if let (RollbackProtection::On, Some(releases)) = (rollback, &self.inner.releases)
            && !is_recorded
        {
            let (releases, manifest) = (releases.clone(), model.manifest().clone());
            let digest = model.manifest_digest();
            off_thread(move || Ok(releases.record(&manifest, digest)?)).await?;
        }
        Ok(model)
    }
}

/// A model that may be compiled, and what is needed for it.
struct Admitted {
    model: AdmittedModel,
    trust: ModelTrust,
    identity: CodeIdentity,
    /// Set when the host's memory of releases has this very bundle as the newest.
    is_recorded: bool,
}

impl HostInner {
    /// Envelope → manifest → releases → limits → component → admission.
    fn admit(&self, bundle: Bundle, rule: &ReleaseRule, terms: Terms) -> Result<Admitted> {
        let (trust, now) = (self.trust.current(), ampoule_signing::now()?);
        let store = trust.store()?;
        warn_of_old_list(store, now);
        let verified = bundle
            .with_max_size(self.limits.bundle)
            .verify_manifest(store, now)?;
        let is_recorded = rule.check(self.releases.as_ref(), &verified)?;
        let trust_in_it = ModelTrust::new(verified.decision(), &trust);
        let admissible =
            admit_manifest(verified, &self.limits, terms.at_most)?.read_component(store)?;
        let model = admit(admissible, &self.grants)?;
        if terms.check_files {
            model.bundle().check_files()?;
        }
        Ok(Admitted {
            identity: CodeIdentity::of(&model, &self.engine, self.profile, &self.limits)?,
            model,
            trust: trust_in_it,
            is_recorded,
        })
    }

    /// Admitted model → code → artifact.
    fn make(
        &self,
        admitted: Admitted,
        mut code: CodeTurn,
        turn: &LoadTurn,
        cancelled: &CancellationToken,
    ) -> Result<Arc<Artifact>> {
        let identity = admitted.identity;
        // Those that were asked for before it failed are told, one after the other, as they get here.
        if let Some(error) = turn.failure(&identity) {
            return Err(error);
        }
        let made = self.make_code(admitted, &mut code, cancelled);
        if let Err(error) = &made
            && !cancelled.is_cancelled()
        {
            turn.failed(&identity, error);
        }
        // The next one may look only now.
        drop(code);
        made
    }

    fn make_code(
        &self,
        admitted: Admitted,
        code: &mut CodeTurn,
        cancelled: &CancellationToken,
    ) -> Result<Arc<Artifact>> {
        let Admitted {
            mut model,
            trust: model_trust,
            identity,
            is_recorded: _,
        } = admitted;
        let name = display_name(model.bundle().manifest());
        let wait = LockWait {
            // As long as another process may take to make the same code.
            patience: self
                .limits
                .compile
                .time
                .saturating_add(model.init_budget().deadline),
            cancelled,
        };
        let (code, origin) = self.code.get(
            code,
            &self.engine,
            &identity,
            &name,
            &wait,
            &mut model,
            |model| self.compile(model, cancelled.clone()),
            pack,
        )?;
        let threads = Arc::clone(&self.kernel_threads);
        link(
            &self.engine,
            code,
            origin,
            model,
            model_trust,
            self.profile,
            threads,
        )
    }

    fn compile(
        &self,
        model: &mut AdmittedModel,
        cancelled: CancellationToken,
    ) -> Result<(NativeCode, CompiledFacts)> {
        model.read_files()?;
        let request = CompileRequest {
            profile: self.profile,
            image: self.limits.init.memory,
            component: model.bundle().component().clone(),
            init: Init {
                assets: AssetFiles::of(model.bundle()),
                budget: model.init_budget(),
                output: model.output_bytes(),
                log: self.limits.init_log(),
                host_kernels: model.is_granted_host_kernels(),
                said: LastWords::default(),
            },
        };
        match &self.compiler {
            Some(process) => process.compile(&request, &self.limits.compile, &cancelled),
            None => {
                let engines = BuildEngines::new(request.profile, request.image)?;
                let model = compile(&engines, &request.component, request.init, cancelled)?;
                Ok((NativeCode::compiled(&model.code)?, model.facts))
            }
        }
    }
}

/// Packs what `init` has asked for. Where it has, the files are needed though its code was in the cache.
fn pack(model: &mut AdmittedModel, facts: &CompiledFacts) -> Result<PackedLayers> {
    if !facts.layers.is_empty() {
        model.read_files()?;
    }
    PackedLayers::pack(&facts.layers, &AssetFiles::of(model.bundle()))
}

/// What a person calls the model.
fn display_name(manifest: &Manifest) -> String {
    format!(
        "{}/{} {}",
        manifest.publisher(),
        manifest.name(),
        manifest.version()
    )
}

/// In permissive mode an old list is obeyed as far as it goes, and that it is old is worth knowing.
fn warn_of_old_list(store: &TrustStore, now: Timestamp) {
    if let Some(list) = store.revocations()
        && list.is_expired(now)
    {
        tracing::warn!(
            target: "ampoule::trust",
            version = list.version(),
            expires = %list.expires(),
            "the revocation list has expired; get the newest"
        );
    }
}

/// Runs something long on a thread of its own and waits for it.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name("ampoule-load".to_owned())
        .spawn(move || {
            // The caller may have gone; then nobody wants the result.
            let _ = sender.send(work());
        })
        .map_err(|error| Error::thread(&error))?;
    receiver
        .await
        .unwrap_or_else(|_| Err(Error::internal("the loading thread panicked")))
}
