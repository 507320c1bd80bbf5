//! The settings of a host.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ampoule_load::{CodeCache, CompileProcess, HostTrust, Loader, LoaderSettings, TrustSource};
use ampoule_sandbox::code::engine::EngineProfile;
use ampoule_sandbox::code::native_code::CodeMapping;
use ampoule_sandbox::limits_check::check_limits;
use ampoule_sandbox::{Capability, Limits, Result};
use ampoule_serve::{Observer, Server, ServerSettings};
use ampoule_signing::{ReleaseState, TrustStore};

use crate::host::Host;

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
    observer: Hook,
}

/// A hook that is told of each request, if there is one.
#[derive(Default)]
struct Hook(Option<Arc<dyn Observer>>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "none" })
    }
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

    /// Has `observer` told of each request and each step of one, for histograms of a service's own. Totals are counted
    /// without it: see [`Host::counters`].
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Hook(Some(observer));
        self
    }

    /// Starts the host's threads.
    ///
    /// # Errors
    ///
    /// `usage.limits`, `io.thread`, `io.system`, `internal.bug`; for a trust directory, what [`TrustStore::open`]
    /// refuses.
    pub fn build(self) -> Result<Host> {
        let server = ServerSettings {
            limits: self.limits.clone(),
            profile: self.profile,
            mapping: CodeMapping::File,
            clock: self.clock,
            threads: self.threads,
            kernel_threads: self.kernel_threads,
            observer: self.observer.0,
        };
        check_limits(&self.limits)?;
        let trust = HostTrust::open(self.trust)?;
        let server = Server::start(server)?;
        let mut loader = LoaderSettings::default();
        loader.limits = self.limits;
        loader.profile = self.profile;
        loader.releases = self.releases;
        loader.allowed = self.allowed;
        loader.cache = self.cache;
        loader.compiler = self.compiler;
        Host::of(Loader::new(loader, Arc::clone(&trust))?, server, trust)
    }
}

impl Host {
    /// Returns the settings of a host with the default limits that trusts nobody yet.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }
}
