//! The loading half of a host: from a bundle to a [`LoadedModel`].

use std::fmt;
use std::sync::Arc;

use ampoule_sandbox::code::engine::EngineProfile;
use ampoule_sandbox::code::facts::CompiledFacts;
use ampoule_sandbox::code::native_code::NativeCode;
use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::limits_check::check_limits;
use ampoule_sandbox::slots::{Slots, Turn};
use ampoule_sandbox::{
    Capability, Code, CodeOrigin, Error, Lease, Limits, LoadedModel, ModelFacts, RequestLimits,
    Result, TrustLease, off_thread,
};
use ampoule_signing::{Bundle, Manifest, ReleaseState, Timestamp, TrustStore, VerifiedBundle};
use tokio_util::sync::CancellationToken;

use crate::admission::grants::Grants;
use crate::admission::policy::{AdmittedModel, admit, admit_manifest};
use crate::admission::release_rule::ReleaseRule;
use crate::code::cache::code_cache::CodeCache;
use crate::code::compile::compile;
use crate::code::identity::{CodeIdentity, Compatibility};
use crate::code::process::CompileProcess;
use crate::code::snapshot::{Init, LastWords};
use crate::code::store::{Wanted, find_or_compile};
use crate::code::{BuildEngines, CompileRequest};
use crate::load_options::{RollbackProtection, Terms};
use crate::loads::{LoadCounters, LoadTurn, Loads};
use crate::refusal::OrRefused as _;
use crate::trust::{HostTrust, ModelLessor, lease};

/// Settings of a [`Loader`]. Later versions may have more: write the rest as `..LoaderSettings::default()`.
#[derive(Debug, Default)]
pub struct LoaderSettings {
    /// Upper bounds for models and for loading them.
    pub limits: Limits,
    /// The profile that models are compiled for.
    pub profile: EngineProfile,
    /// Record of the newest release of each model that was run. `None` records nothing.
    pub releases: Option<ReleaseState>,
    /// Capabilities that are granted to models that ask for them.
    pub allowed: Vec<Capability>,
    /// Cache of compiled models. `None` compiles each model anew.
    pub cache: Option<CodeCache>,
    /// The program that initialises and compiles models. `None` does both in this process.
    pub compiler: Option<CompileProcess>,
}

/// Verifies, admits and compiles models. Clones share one loader.
#[derive(Clone)]
pub struct Loader {
    inner: Arc<Inner>,
}

struct Inner {
    limits: Limits,
    profile: EngineProfile,
    trust: Arc<HostTrust>,
    releases: Option<ReleaseState>,
    grants: Grants,
    loads: Loads,
    compatibility: Compatibility,
    code: Slots<CodeIdentity, Code>,
    cache: Option<CodeCache>,
    compiler: Option<CompileProcess>,
    /// Cancelled when everything is to stop.
    stopped: CancellationToken,
}

/// Unfinished part of a load, until its model is known to run.
pub struct Receipt {
    /// The bundle without its files, for later decisions about trust.
    pub bundle: Arc<VerifiedBundle>,
    loader: Arc<Inner>,
    turn: Arc<LoadTurn>,
    identity: CodeIdentity,
    is_recorded: bool,
    rollback: RollbackProtection,
    at_most: RequestLimits,
}

impl Loader {
    /// Makes a loader that uses `trust`.
    ///
    /// # Errors
    ///
    /// `usage.limits`, `io.system`, `internal.bug`.
    pub fn new(settings: LoaderSettings, trust: Arc<HostTrust>) -> Result<Self> {
        let LoaderSettings {
            limits,
            profile,
            releases,
            allowed,
            cache,
            compiler,
        } = settings;
        check_limits(&limits)?;
        let engines = BuildEngines::new(profile, limits.init.memory)?;
        Ok(Self {
            inner: Arc::new(Inner {
                loads: Loads::new(&limits),
                grants: Grants::new(&allowed, profile),
                compatibility: Compatibility::of(&engines.code),
                limits,
                profile,
                trust,
                releases,
                code: Slots::default(),
                cache,
                compiler,
                stopped: CancellationToken::new(),
            }),
        })
    }

    /// Returns how many loads there are at the moment.
    #[must_use]
    pub fn counters(&self) -> LoadCounters {
        self.inner.loads.counters()
    }

    /// Accepts no load from now on: `limit.busy`. Those that were accepted go on.
    pub fn close(&self) {
        self.inner.loads.close();
    }

    /// Waits until no load runs or waits any more.
    pub async fn all_over(&self) {
        self.inner.loads.all_over().await;
    }

    /// Stops all loads that run: their `init`, and the processes that compile for them.
    pub fn stop(&self) {
        self.close();
        self.inner.stopped.cancel();
    }

    /// Loads a bundle: verifies it, checks it against the policy, then finds its code or initialises and compiles it.
    /// All of this happens on other threads. [`Limits::loads`] run at once and [`Limits::waiting_loads`] wait for them.
    /// Dropping the future leaves the line, or stops the load.
    ///
    /// Of concurrent loads of one model, one compiles it. When compiling fails, all loads that wait for it fail with
    /// the same error. A load that is requested afterwards tries again.
    ///
    /// # Errors
    ///
    /// Any code but `input.*`. Nothing of an untrusted bundle is compiled or run.
    pub async fn load(
        &self,
        open: impl FnOnce() -> Result<Bundle> + Send + 'static,
        rule: ReleaseRule,
        terms: Terms,
    ) -> Result<(LoadedModel, Receipt)> {
        let loaded = self.load_unless_stopped(open, rule, terms).await;
        if loaded.is_err() && self.inner.stopped.is_cancelled() {
            return Err(Error::Busy {
                limit: None,
                reason: "it is being shut down".to_owned(),
            });
        }
        loaded
    }

    async fn load_unless_stopped(
        &self,
        open: impl FnOnce() -> Result<Bundle> + Send + 'static,
        rule: ReleaseRule,
        terms: Terms,
    ) -> Result<(LoadedModel, Receipt)> {
        terms.at_most.check()?;
        let turn = self.inner.loads.enter().await?;
        // Dropping this future stops `init`.
        let cancelled = self.inner.stopped.child_token();
        let _guard = cancelled.clone().drop_guard();
        let (rollback, at_most) = (rule.rollback, terms.at_most);
        let (inner, kept) = (Arc::clone(&self.inner), Arc::clone(&turn));
        let admitted = off_thread(move || {
            // A load counts as running until its thread has ended, even after its caller stopped waiting.
            let _kept = kept;
            inner.admit(open()?, &rule, terms)
        })
        .await?;
        let (identity, is_recorded) = (admitted.identity, admitted.is_recorded);
        // Waits without a thread: another load may be compiling this very model.
        let code = self.inner.code.turn(&identity).await;
        let (inner, kept) = (Arc::clone(&self.inner), Arc::clone(&turn));
        let (loaded, bundle) =
            off_thread(move || inner.make(admitted, code, &kept, &cancelled)).await?;
        let receipt = Receipt {
            bundle,
            loader: Arc::clone(&self.inner),
            turn,
            identity,
            is_recorded,
            rollback,
            at_most,
        };
        Ok((loaded, receipt))
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("limits", &self.inner.limits)
            .field("profile", &self.inner.profile)
            .finish_non_exhaustive()
    }
}

impl Receipt {
    /// Returns the turn of the load, to be kept by threads that work for it: it counts for as long as one does.
    #[must_use]
    pub fn turn(&self) -> impl Send + 'static + use<> {
        Arc::clone(&self.turn)
    }

    /// Shares the failure with the loads that wait for the same code. A failure under lower limits than the manifest
    /// asks for is not shared, since the others may have higher ones.
    pub fn failed(&self, error: &Error) {
        if self.at_most == RequestLimits::default() {
            self.turn.failed(&self.identity, error);
        }
    }

    /// Ends the load of a model that is known to run, and records its release. Invariant: a release that does not run
    /// is never recorded, since it would shut out the last one that did.
    ///
    /// # Errors
    ///
    /// `trust.*` and `io.*` when the release cannot be recorded.
    pub async fn served(self) -> Result<Arc<VerifiedBundle>> {
        if let (RollbackProtection::On, Some(releases)) = (self.rollback, &self.loader.releases)
            && !self.is_recorded
        {
            let (releases, bundle) = (releases.clone(), Arc::clone(&self.bundle));
            off_thread(move || {
                let digest = bundle.manifest_digest();
                releases.record(bundle.manifest(), digest).or_refused()
            })
            .await?;
        }
        Ok(self.bundle)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("manifest", &self.bundle.manifest_digest())
            .finish_non_exhaustive()
    }
}

/// A model that may be compiled, with its lease and the identity of its code.
struct Admitted {
    model: AdmittedModel,
    /// The trust that the lease is by.
    trust: Arc<HostTrust>,
    lease: Lease,
    identity: CodeIdentity,
    /// Set when the record of releases has this very bundle as the newest.
    is_recorded: bool,
}

impl Inner {
    /// Stages: envelope → manifest → releases → limits → component → admission.
    fn admit(&self, bundle: Bundle, rule: &ReleaseRule, terms: Terms) -> Result<Admitted> {
        let by = terms.trust.as_ref().unwrap_or(&self.trust);
        let (trust, now) = (by.current(), ampoule_signing::now().or_refused()?);
        let store = trust.store()?;
        warn_of_old_list(store, now);
        let verified = bundle
            .with_max_size(self.limits.bundle)
            .verify_manifest(store, now)
            .or_refused()?;
        let is_recorded = rule.check(self.releases.as_ref(), &verified)?;
        let lease = lease(verified.decision(), &trust);
        let admissible =
            admit_manifest(verified, &self.limits, terms.at_most)?.read_component(store)?;
        let grants = self.grants.within(terms.capabilities.as_deref());
        let model = admit(admissible, &grants)?;
        if terms.check_files {
            model.bundle.check_files().or_refused()?;
        }
        Ok(Admitted {
            identity: CodeIdentity::of(&model, self.compatibility, self.profile, &self.limits)?,
            model,
            trust: Arc::clone(by),
            lease,
            is_recorded,
        })
    }

    /// Stages: admitted model → code → loaded model.
    fn make(
        &self,
        admitted: Admitted,
        mut code: Turn<Code>,
        turn: &LoadTurn,
        cancelled: &CancellationToken,
    ) -> Result<(LoadedModel, Arc<VerifiedBundle>)> {
        let identity = admitted.identity;
        // A load that was requested before the failure fails with the same error.
        if let Some(error) = turn.failure(&identity) {
            return Err(error);
        }
        let made = self.make_loaded(admitted, &mut code, cancelled);
        if let Err(error) = &made
            && !cancelled.is_cancelled()
        {
            turn.failed(&identity, error);
        }
        // Only now: the next load has to find the failure.
        drop(code);
        made
    }

    fn make_loaded(
        &self,
        admitted: Admitted,
        turn: &mut Turn<Code>,
        cancelled: &CancellationToken,
    ) -> Result<(LoadedModel, Arc<VerifiedBundle>)> {
        let Admitted {
            mut model,
            trust,
            lease,
            identity,
            is_recorded: _,
        } = admitted;
        let (code, origin) = match turn.value() {
            Some(code) => (code, CodeOrigin::Shared),
            None => {
                let (code, origin) = self.make_code(&mut model, identity, cancelled)?;
                turn.share(&code);
                (code, origin)
            }
        };
        let files = files_to_serve(&mut model, &code.facts)?;
        let AdmittedModel {
            mut bundle,
            tasks,
            budgets,
            is_granted_host_kernels,
        } = model;
        bundle.forget_files();
        let bundle = Arc::new(bundle);
        let lessor = ModelLessor {
            trust,
            bundle: Arc::clone(&bundle),
        };
        let loaded = LoadedModel::new(
            facts_of(&bundle),
            tasks,
            budgets,
            is_granted_host_kernels,
            self.profile,
            (code, origin),
            files,
            TrustLease::new(lease, Arc::new(lessor)),
        );
        Ok((loaded, bundle))
    }

    fn make_code(
        &self,
        model: &mut AdmittedModel,
        identity: CodeIdentity,
        cancelled: &CancellationToken,
    ) -> Result<(Arc<Code>, CodeOrigin)> {
        let name = display_name(model.bundle.manifest());
        let time = self.limits.compile.time;
        let wanted = Wanted {
            identity,
            model: &name,
            // The longest that another process may take to make the same code.
            patience: time.saturating_add(model.budgets.init.deadline),
            cancelled,
        };
        let compile = || self.compile(model, cancelled.clone());
        let (native, facts, origin) = find_or_compile(self.cache.as_ref(), &wanted, compile)?;
        let code = Code {
            identity: identity.bytes(),
            facts,
            native,
        };
        Ok((Arc::new(code), origin))
    }

    fn compile(
        &self,
        model: &mut AdmittedModel,
        cancelled: CancellationToken,
    ) -> Result<(NativeCode, CompiledFacts)> {
        tracing::info!(
            target: "ampoule::load",
            model = %display_name(model.bundle.manifest()),
            "compiling, which takes seconds to a minute; code that is kept in a cache is compiled once"
        );
        model.bundle.read_files().or_refused()?;
        let request = CompileRequest {
            profile: self.profile,
            image: self.limits.init.memory,
            component: model.bundle.component().clone(),
            init: Init {
                assets: files_of(&model.bundle),
                budget: model.budgets.init,
                output: model.budgets.output_bytes(),
                log: self.limits.init_log(),
                host_kernels: model.is_granted_host_kernels,
                said: LastWords::default(),
            },
        };
        match &self.compiler {
            Some(process) => process.compile(&request, &self.limits.compile, &cancelled),
            None => {
                let engines = BuildEngines::new(request.profile, request.image)?;
                let model = compile(&engines, &request.component, request.init, cancelled)?;
                Ok((model.code.seal()?, model.facts))
            }
        }
    }
}

/// Returns the verified bytes that serving needs: the files of layers to pack, all files for a model whose sandboxes
/// run `init`, and none for any other.
fn files_to_serve(model: &mut AdmittedModel, facts: &CompiledFacts) -> Result<AssetFiles> {
    let is_cold = facts.start.is_cold();
    if !is_cold && facts.layers.is_empty() {
        return Ok(AssetFiles::default());
    }
    model.bundle.read_files().or_refused()?;
    let files = files_of(&model.bundle);
    if is_cold {
        return Ok(files);
    }
    let is_packed = |name: &str| facts.layers.iter().any(|layer| layer.reads(name));
    Ok(files.only(is_packed))
}

/// Returns every file of the bundle but the component, which is code and no data.
fn files_of(bundle: &VerifiedBundle) -> AssetFiles {
    let component = bundle.manifest().component().path();
    let files = bundle.files().filter(|(name, _)| *name != component);
    let files = files.map(|(name, bytes)| (name.to_owned(), bytes.clone()));
    AssetFiles::from(files.collect::<std::collections::BTreeMap<_, _>>())
}

fn facts_of(bundle: &VerifiedBundle) -> ModelFacts {
    let manifest = bundle.manifest();
    ModelFacts::new(
        manifest.publisher(),
        manifest.name(),
        manifest.version().to_string(),
        manifest.release(),
        bundle.manifest_digest().to_string(),
    )
}

/// Returns the model's name for messages, such as `acme/minilm 1.0.0`.
fn display_name(manifest: &Manifest) -> String {
    format!(
        "{}/{} {}",
        manifest.publisher(),
        manifest.name(),
        manifest.version()
    )
}

/// Logs that the revocation list has expired. In permissive mode its entries still hold.
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
