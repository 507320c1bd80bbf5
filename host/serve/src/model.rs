//! A loaded model: where requests come in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ampoule_signing::{ByteSize, KeyId, Manifest, Sha256Digest, VerifiedBundle, text};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::answer::Answer;
use crate::artifact::{Artifact, Exports};
use crate::bindings::ampoule::model::types::Error as GuestError;
use crate::bindings::exports::ampoule::model::lifecycle as wit;
use crate::chores::Chore;
use crate::clocks::ClockResolution;
use crate::code_store::CodeOrigin;
use crate::compile::{InitReport, SandboxStart};
use crate::contract::Task;
use crate::error::{Error, Result};
use crate::executor::Urgency;
use crate::held_sandbox::HeldSandbox;
use crate::host::HostInner;
use crate::host_kernels::Kernels;
use crate::limit_table::Limit;
use crate::limits::Limits;
use crate::sandbox::{Sandbox, SandboxReport};
use crate::state::SandboxState;

/// A model's words about itself; see `lifecycle.describe` in the contract. They are kept for as long as the
/// model is loaded, by each load of it: so no more of them is than a person reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelInfo {
    /// The family of network, cut after 1,024 characters.
    pub architecture: String,
    /// Facts by well-known key, such as `embedding.dimensions`: the first 64, each key and each value cut after
    /// 200 characters.
    pub properties: Vec<(String, String)>,
}

/// Facts that are kept of a model. The contract names seven.
const MAX_FACTS: usize = 64;

impl ModelInfo {
    fn of(described: &wit::ModelInfo) -> Self {
        let facts = described.properties.iter().take(MAX_FACTS);
        Self {
            architecture: text::sentence(&described.architecture),
            properties: facts
                .map(|fact| (text::name(&fact.key), text::name(&fact.value)))
                .collect(),
        }
    }
}

/// How long a load that is all but done waits for its turn: longer than any queue of requests is.
const LOAD_PATIENCE: Duration = Duration::from_secs(3600);

/// A verified, admitted and compiled model. Clones are the same model; requests may run on several
/// at once, each in a sandbox of its own.
#[derive(Clone)]
pub struct Model {
    host: Arc<HostInner>,
    artifact: Arc<Artifact>,
    info: Arc<ModelInfo>,
}

impl Model {
    /// Makes a first sandbox of the model, so that one that cannot start fails here and not at its first
    /// request, and asks what it says of itself. Where a request would be told that the host is busy, this
    /// waits for a place: a load has cost more by now than coming back.
    pub(crate) async fn describe(host: Arc<HostInner>, artifact: Arc<Artifact>) -> Result<Self> {
        let mut model = Self {
            host,
            artifact,
            info: Arc::default(),
        };
        let place = Arc::clone(&model.host.places).acquire_owned().await;
        let place = place.map_err(|_| Error::internal("there are no places for sandboxes"))?;
        model.check_trust()?;
        let artifact = Arc::clone(&model.artifact);
        let describe = async move |store: &mut Store<_>, instance: &Instance| {
            artifact.exports.check_types(store, instance)?;
            let guest = artifact.exports.load_lifecycle(store, instance)?;
            Ok(Ok(guest.call_describe(store).await?))
        };
        let asked = model.clone();
        let patience = Instant::now() + LOAD_PATIENCE;
        let described = model
            .run(Urgency::Continued, patience, async move |cancelled| {
                // Its time begins now, and not while it waited behind others.
                let request = NewRequest {
                    place: Some(place),
                    ..asked.new_request()
                };
                let (_, described, _) = request.begin(cancelled, describe).await?;
                Ok(described)
            })
            .await?;
        model.info = Arc::new(ModelInfo::of(&described));
        Ok(model)
    }

    pub(crate) fn bundle(&self) -> &VerifiedBundle {
        self.artifact.model.bundle()
    }

    /// The signed manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.bundle().manifest()
    }

    /// The digest of the manifest's signed bytes: the model's identity.
    #[must_use]
    pub fn manifest_digest(&self) -> Sha256Digest {
        self.bundle().manifest_digest()
    }

    /// The trusted keys that signed it.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        self.bundle().signers()
    }

    /// What it can do.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        self.artifact.model.tasks()
    }

    /// What it says of itself.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// How its sandboxes begin.
    #[must_use]
    pub fn start(&self) -> &SandboxStart {
        &self.artifact.code.facts.start
    }

    /// Where its code came from when it was loaded.
    #[must_use]
    pub fn code_origin(&self) -> CodeOrigin {
        self.artifact.origin
    }

    /// What `init` cost and said before the snapshot; `None` for a model that starts cold, whose
    /// sandboxes each report it.
    #[must_use]
    pub fn init_report(&self) -> Option<&InitReport> {
        self.artifact.code.facts.init.as_ref()
    }

    /// Whether the host multiplies for it: it asked for `host-kernels`, and was granted it.
    #[must_use]
    pub fn uses_host_kernels(&self) -> bool {
        !matches!(self.artifact.kernels(), Kernels::NotGranted)
    }

    /// The memory that the matrices take which the host has packed for it. All of its sandboxes share them,
    /// and each counts them as its own.
    #[must_use]
    pub fn packed_bytes(&self) -> ByteSize {
        self.artifact.code.layers.bytes()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.host.limits
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.artifact.exports
    }

    pub(crate) fn lacks(&self, task: Task) -> Error {
        let offered: Vec<&str> = self.tasks().iter().map(|task| task.name()).collect();
        Error::NoSuchTask {
            asked: task.name(),
            offered: offered.join(", "),
        }
    }

    /// Makes a sandbox, runs one call in it and drops it.
    pub(crate) async fn ask<T: Send + 'static>(&self, call: impl Call<T>) -> Result<Answer<T>> {
        let request = self.new_request();
        self.run(Urgency::New, request.expires, async move |cancelled| {
            let (sandbox, output, _) = request.begin(cancelled, call).await?;
            Ok(Answer {
                output,
                sandbox: sandbox.into_report(),
            })
        })
        .await
    }

    /// Makes a sandbox and runs the first call of a request in it. Returns the sandbox, held for the
    /// next call, what it has cost so far, and what the call returned.
    pub(crate) async fn open_sandbox<T: Send + 'static>(
        &self,
        call: impl Call<T>,
    ) -> Result<(Arc<HeldSandbox>, SandboxReport, T)> {
        let request = self.new_request();
        let model = self.clone();
        self.run(Urgency::New, request.expires, async move |cancelled| {
            let (sandbox, output, expires) = request.begin(cancelled, call).await?;
            let costs = sandbox.costs();
            // Here and not where it is waited for: a caller may wait and never look.
            Ok((model.hold(sandbox, expires), costs, output))
        })
        .await
    }

    /// Keeps a sandbox for its request's next call, for as long as that may take to come.
    fn hold(&self, sandbox: Sandbox, expires: Instant) -> Arc<HeldSandbox> {
        let held = Arc::new(HeldSandbox::new(sandbox, expires, self.limits().idle));
        // One chore for the whole request, however many calls it has; nothing stays for it when the
        // request is over.
        let watched = Arc::downgrade(&held);
        let look = move || watched.upgrade()?.look();
        if let Some(due) = held.look() {
            self.add_chore(Chore::repeated(due, look));
        }
        held
    }

    pub(crate) fn new_request(&self) -> NewRequest {
        NewRequest {
            artifact: Arc::clone(&self.artifact),
            places: Arc::clone(&self.host.places),
            place: None,
            sandboxes: self.limits().sandboxes,
            log: self.limits().log,
            clock: self.host.clock,
            expires: Instant::now() + self.deadline(),
        }
    }

    /// Runs something on the threads for guests; it fails with `limit.deadline` when it has not
    /// begun by `expires`.
    pub(crate) async fn run<T, F>(
        &self,
        urgency: Urgency,
        expires: Instant,
        work: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + 'static,
    {
        let manifest = self.manifest();
        let span = tracing::info_span!(
            target: "ampoule::request",
            "request",
            publisher = manifest.publisher(),
            model = manifest.name(),
        );
        let allowed = self.deadline();
        let inner = span.clone();
        let work = move |cancelled| work(cancelled).instrument(inner);
        let executor = &self.host.executor;
        // A request that has begun goes on, a new one needs the trust of now.
        let trusted = match urgency {
            Urgency::New => self.check_trust(),
            Urgency::Continued => Ok(()),
        };
        let result = match trusted {
            Ok(()) => {
                let result = executor.run(urgency, expires, allowed, work);
                result.instrument(span.clone()).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &result {
            span.in_scope(|| {
                // Callers can repeat what is their own doing as often as they like.
                if error.is_of_the_caller() {
                    tracing::debug!(target: "ampoule::request", code = error.code(), %error, "refused");
                } else {
                    tracing::warn!(target: "ampoule::request", code = error.code(), %error, "failed");
                }
            });
        }
        result
    }

    fn check_trust(&self) -> Result<()> {
        let trust = self.host.trust.current();
        self.artifact.trust.check(self.bundle(), &trust)
    }

    /// Bytes that the guest may hand over for one answer.
    pub(crate) fn output_bytes(&self) -> usize {
        self.artifact.model.output_bytes()
    }

    /// The time that one request may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.artifact.model.request_budget().deadline
    }

    /// Has something done on the host's housekeeping thread.
    pub(crate) fn add_chore(&self, chore: Chore) {
        self.host.executor.add_chore(chore);
    }
}

/// What a request does in its sandbox: one call of an export.
pub(crate) trait Call<T>:
    AsyncFnOnce(
        &mut Store<SandboxState>,
        &Instance,
    ) -> wasmtime::Result<std::result::Result<T, GuestError>>
    + Send
    + 'static
{
}

impl<T, F> Call<T> for F where
    F: AsyncFnOnce(
            &mut Store<SandboxState>,
            &Instance,
        ) -> wasmtime::Result<std::result::Result<T, GuestError>>
        + Send
        + 'static
{
}

/// A request that has been accepted and not begun.
pub(crate) struct NewRequest {
    artifact: Arc<Artifact>,
    places: Arc<Semaphore>,
    /// The place for its sandbox, if it has one already.
    place: Option<OwnedSemaphorePermit>,
    sandboxes: usize,
    log: ByteSize,
    clock: ClockResolution,
    expires: Instant,
}

impl NewRequest {
    pub(crate) fn artifact(&self) -> &Arc<Artifact> {
        &self.artifact
    }

    /// Makes a sandbox, if there is a place for one.
    pub(crate) async fn start_sandbox(&self, cancelled: CancellationToken) -> Result<Sandbox> {
        self.start_sandbox_in(self.find_place()?, cancelled).await
    }

    async fn start_sandbox_in(
        &self,
        place: OwnedSemaphorePermit,
        cancelled: CancellationToken,
    ) -> Result<Sandbox> {
        let artifact = Arc::clone(&self.artifact);
        Sandbox::start(artifact, self.log, self.clock, place, cancelled).await
    }

    fn find_place(&self) -> Result<OwnedSemaphorePermit> {
        let places = Arc::clone(&self.places);
        places.try_acquire_owned().map_err(|_| Error::Busy {
            limit: Some(Limit::Sandboxes),
            reason: format!("{} sandboxes are in use", self.sandboxes),
        })
    }

    /// Makes the sandbox and runs the first call. Returns the sandbox, what the call returned, and
    /// when the request must be over.
    async fn begin<T>(
        mut self,
        cancelled: CancellationToken,
        call: impl Call<T>,
    ) -> Result<(Sandbox, T, Instant)> {
        let place = match self.place.take() {
            Some(place) => place,
            None => self.find_place()?,
        };
        let mut sandbox = self.start_sandbox_in(place, cancelled.clone()).await?;
        // Running `init` has a budget of its own: the time that it took is given back.
        let expires = self.expires + sandbox.start_wall();
        sandbox.begin_request(expires)?;
        let (sandbox, output) = sandbox.call(cancelled, call).await?;
        Ok((sandbox, output, expires))
    }
}
