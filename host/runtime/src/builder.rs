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
    /// Trusts the keys of this store. Without it, and without a directory, nobody is trusted and every model is refused.
    #[must_use]
    pub fn trust(mut self, trust: TrustStore) -> Self {
        self.trust = TrustSource::Store(Box::new(trust));
        self
    }

    /// Trusts what this trust directory says, now and after each change of it. The directory is looked at
    /// every second; [`Host::reload_trust`] does not wait for that. After a change, a model that is not
    /// trusted any more, or that asks for more than it may now, gets no new request: the request fails with the
    /// code that loading the model would fail with. While the directory cannot be read or is refused, nobody is
    /// trusted.
    #[must_use]
    pub fn trust_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.trust = TrustSource::Directory(directory.into());
        self
    }

    /// Remembers in this state which release of each model was run, so that no older one follows it. By default
    /// nothing is remembered, and an old bundle with a valid signature is as good as a new one.
    #[must_use]
    pub fn releases(mut self, releases: impl Into<Option<ReleaseState>>) -> Self {
        self.releases = releases.into();
        self
    }

    /// Sets the caps on models and requests.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Chooses the way in which guests are compiled and metered.
    #[must_use]
    pub fn profile(mut self, profile: EngineProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Rounds the clocks of requests down to a multiple of `resolution`, from 1 µs to 1 s; by default 1 ms. The finer a
    /// clock is, the better a guest can tell other work of this machine from the time that its own takes. In the
    /// deterministic profile the clocks stand still.
    #[must_use]
    pub fn clock_resolution(mut self, resolution: impl Into<Option<Duration>>) -> Self {
        self.clock = resolution.into();
        self
    }

    /// Keeps compiled models in `cache` from one run of the program to the next. By default, every model is
    /// initialised and compiled when it is loaded.
    #[must_use]
    pub fn code_cache(mut self, cache: impl Into<Option<CodeCache>>) -> Self {
        self.cache = cache.into();
        self
    }

    /// Initialises and compiles each model in a process of its own, under
    /// [`Limits::compile`](crate::Limits). By default both happen in this process: `init` is bounded there
    /// as well, and a panic is survived, but nothing bounds the time and the memory of compiling.
    #[must_use]
    pub fn compile_with(mut self, process: impl Into<Option<CompileProcess>>) -> Self {
        self.compiler = process.into();
        self
    }

    /// Runs at most this many guests at a time; by default one for each core.
    #[must_use]
    pub fn threads(mut self, threads: impl Into<Option<usize>>) -> Self {
        self.threads = threads.into();
        self
    }

    /// Grants a capability to the models that name it in their signed manifest. By default none is granted:
    /// such a model runs all the same, and does without. In the deterministic profile none is
    /// granted either.
    ///
    /// `host-kernels` makes the part of this process that a model can reach larger than the sandbox: see
    /// `SECURITY.md`.
    #[must_use]
    pub fn allow(mut self, capability: Capability) -> Self {
        self.allowed.push(capability);
        self
    }

    /// Multiplies on this many threads for the models that were granted `host-kernels`, all of them together.
    /// By default, and with 1, each guest's own thread multiplies.
    #[must_use]
    pub fn kernel_threads(mut self, threads: impl Into<Option<usize>>) -> Self {
        self.kernel_threads = threads.into();
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
        let loader = LoaderSettings {
            limits: self.limits,
            profile: self.profile,
            releases: self.releases,
            allowed: self.allowed,
            cache: self.cache,
            compiler: self.compiler,
        };
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
