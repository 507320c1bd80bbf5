//! A served model: where requests come in.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ampoule_sandbox::code::engine::EngineProfile;
use ampoule_sandbox::code::facts::{InitReport, SandboxStart};
use ampoule_sandbox::guest::state::SandboxState;
use ampoule_sandbox::imports::bindings::exports::ampoule::model::lifecycle as wit;
use ampoule_sandbox::imports::kernels::Kernels;
use ampoule_sandbox::{
    Budget, CodeOrigin, Error, Limits, ModelFacts, Result, SandboxBudgets, Task, off_thread,
};
use ampoule_units::{ByteSize, text};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::call_options::CallOptions;
use crate::counters::RequestEvent;
use crate::sandbox::held_sandbox::HeldSandbox;
use crate::sandbox::linked_code::Exports;
use crate::sandbox::request_sandbox::{Sandbox, SandboxReport};
use crate::sandbox::served_model::ServedModel;
use crate::schedule::chores::Chore;
use crate::schedule::queue::Urgency;
use crate::schedule::request::{Call, NewRequest};
use crate::serving::Serving;
use crate::tasks::answer::Answer;

/// A model's words about itself; see `lifecycle.describe` in the contract. They are kept for as long as the
/// model is loaded, by each load of it: so no more of them is than a person reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// The longest wait of a load that is all but done for its turn: longer than any queue of requests is.
const LOAD_PATIENCE: Duration = Duration::from_secs(3600);

/// A model that answers requests. Clones are the same model; requests may run on several at once, each in a sandbox of
/// its own.
#[derive(Clone)]
pub struct Model {
    serving: Arc<Serving>,
    served: Arc<ServedModel>,
    info: Arc<ModelInfo>,
    options: Arc<CallOptions>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("facts", &self.served.facts)
            .field("tasks", &self.served.tasks)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Makes a first sandbox of the model, so that one that cannot start fails here and not at its first
    /// request, and asks what it says of itself. Where a request would be told that the host is busy, this
    /// waits for a place: a load has cost more by now than coming back.
    pub(crate) async fn describe(serving: Arc<Serving>, served: Arc<ServedModel>) -> Result<Self> {
        let mut model = Self {
            serving,
            served,
            info: Arc::default(),
            options: Arc::default(),
        };
        let place = model.serving.places.take().await?;
        model.check_trust().await?;
        let served = Arc::clone(&model.served);
        let describe = async move |store: &mut Store<SandboxState>, instance: &Instance| {
            let exports = &served.code.exports;
            exports.check_types(store, instance)?;
            let guest = exports.load_lifecycle(store, instance)?;
            Ok(Ok(guest.call_describe(store).await?))
        };
        let asked = model.clone();
        let patience = Instant::now() + LOAD_PATIENCE;
        let described = model
            .run_uncounted(Urgency::Continued, patience, async move |cancelled| {
                // Its time begins now, and not while it waited behind others.
                let request = asked.new_request().with_place(place);
                let (_, described, _) = request.begin(cancelled, describe).await?;
                Ok(described)
            })
            .await?;
        model.info = Arc::new(ModelInfo::of(&described));
        Ok(model)
    }

    /// Returns the same model, with options for the calls that are made of it.
    ///
    /// # Errors
    ///
    /// `usage.limits` for options with which no call could be made.
    pub fn with_options(&self, options: CallOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            options: Arc::new(options),
            ..self.clone()
        })
    }

    /// Returns the facts of its signed manifest.
    #[must_use]
    pub fn facts(&self) -> &ModelFacts {
        &self.served.facts
    }

    /// Returns the tasks that it offers.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.served.tasks
    }

    /// Returns its words about itself.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Returns the way in which its sandboxes begin.
    #[must_use]
    pub fn sandbox_start(&self) -> &SandboxStart {
        &self.served.code.facts().start
    }

    /// Returns the origin of its code when it was loaded.
    #[must_use]
    pub fn code_origin(&self) -> CodeOrigin {
        self.served.origin
    }

    /// Returns the digest of everything that its code was made of: the component and the files that `init` reads, the
    /// profile, Wasmtime's version and settings, the processor's features, and a grant of `host-kernels`. One request to
    /// one model gives one answer for as long as this and the manifest stay, if the model chooses nothing at random.
    #[must_use]
    pub fn code_identity(&self) -> [u8; 32] {
        self.served.code_identity
    }

    /// Returns what `init` cost and said before the snapshot; `None` for a model that starts cold, whose
    /// sandboxes each report it.
    #[must_use]
    pub fn init_report(&self) -> Option<&InitReport> {
        self.served.code.facts().init.as_ref()
    }

    /// Tells whether the host multiplies for it: it asked for `host-kernels`, and was granted it.
    #[must_use]
    pub fn uses_host_kernels(&self) -> bool {
        !matches!(self.served.code.kernels(), Kernels::NotGranted)
    }

    /// Returns the memory of the matrices that the host has packed for it. All of its sandboxes share them,
    /// and each counts them as its own.
    #[must_use]
    pub fn packed_bytes(&self) -> ByteSize {
        self.served.code.packed_bytes()
    }

    /// Returns the most that a request and `init` may cost: the manifest's own limits, lowered where the load was
    /// limited.
    #[must_use]
    pub fn budgets(&self) -> &SandboxBudgets {
        &self.served.budgets
    }

    /// Returns the profile in which its guests run.
    #[must_use]
    pub fn profile(&self) -> EngineProfile {
        self.served.profile
    }

    /// Returns the limits of the host that serves it.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.serving.limits
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.served.code.exports
    }

    pub(crate) fn lacks(&self, task: Task) -> Error {
        let offered: Vec<&str> = self.tasks().iter().map(|task| task.name()).collect();
        Error::NoSuchTask {
            asked: task,
            offered: offered.join(", "),
        }
    }

    /// Makes the checks of a request that come before the queue. A request that is refused by them is counted.
    pub(crate) fn accept<T>(&self, check: impl FnOnce() -> Result<T>) -> Result<T> {
        let counting = Counting::begin(self, Urgency::New);
        match check() {
            Ok(checked) => {
                counting.forget();
                Ok(checked)
            }
            Err(error) => {
                counting.end(Some(&error));
                Err(error)
            }
        }
    }

    /// Makes a sandbox, runs one call in it and drops it. `check` holds the answer to the contract and makes of it what
    /// the caller gets.
    pub(crate) async fn ask<T: Send + 'static, U: Send + 'static>(
        &self,
        call: impl Call<T>,
        check: impl FnOnce(T) -> Result<U> + Send + 'static,
    ) -> Result<Answer<U>> {
        let request = self.new_request();
        self.run(Urgency::New, request.expires(), async move |cancelled| {
            let (sandbox, output, _) = request.begin(cancelled, call).await?;
            Ok(Answer {
                output: check(output)?,
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
        self.run(Urgency::New, request.expires(), async move |cancelled| {
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
        NewRequest::new(
            Arc::clone(&self.served),
            Arc::clone(&self.serving.places),
            self.limits(),
            self.serving.clock,
            self.budget(),
            Instant::now() + self.deadline(),
        )
    }

    /// Runs something on the threads for guests, counts it, and logs its failure. It fails with `limit.deadline` when it
    /// has not begun by `expires`.
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
        let counting = Counting::begin(self, urgency);
        let (began, begun) = (counting.began, Arc::clone(&counting.waited));
        let work = move |cancelled| {
            // It is set once, here.
            let _ = begun.set(began.elapsed());
            work(cancelled)
        };
        let result = self.run_uncounted(urgency, expires, work).await;
        counting.end(result.as_ref().err());
        result
    }

    /// Runs something as [`Model::run`] does, without counting it.
    async fn run_uncounted<T, F>(
        &self,
        urgency: Urgency,
        expires: Instant,
        work: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + 'static,
    {
        let (tenant, request_id) = (&self.options.tenant, &self.options.request_id);
        let span = tracing::info_span!(
            target: "ampoule::request",
            "request",
            publisher = self.facts().publisher,
            model = self.facts().name,
            id = request_id.as_deref().map(text::name),
            tenant = tenant.as_deref().map(text::name),
        );
        let inner = span.clone();
        let work = move |cancelled| work(cancelled).instrument(inner);
        // A request that has begun goes on, a new one needs the trust of now.
        let trusted = match urgency {
            Urgency::New => self.check_trust().await,
            Urgency::Continued => Ok(()),
        };
        let executor = &self.serving.executor;
        let result = match trusted {
            Ok(()) => {
                let result = executor.run(urgency, tenant, expires, self.deadline(), work);
                result.instrument(span.clone()).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &result {
            span.in_scope(|| tell(error));
        }
        result
    }

    /// Refuses a new request to a model that is not trusted any more, as each request does before it waits for a thread.
    /// Asking the lessor may take time, so a thread does; of requests that come meanwhile, one asks.
    ///
    /// # Errors
    ///
    /// `trust.*`, and `io.*` where nobody could be asked.
    pub async fn check_trust(&self) -> Result<()> {
        if self.served.lease.holds() {
            return Ok(());
        }
        let _turn = self.served.renewing.lock().await;
        let served = Arc::clone(&self.served);
        off_thread(move || served.lease.check()).await
    }

    /// Returns the most that one request may cost with these options.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.options.at_most.applied_to(self.served.budgets.request)
    }

    /// Bytes that the guest may hand over for one answer.
    pub(crate) fn output_bytes(&self) -> usize {
        self.served.budgets.output_bytes()
    }

    /// The time that one request may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.budget().deadline
    }

    /// Has something done on the host's housekeeping thread.
    pub(crate) fn add_chore(&self, chore: Chore) {
        self.serving.executor.add_chore(chore);
    }
}

/// Logs the error of a request. A guest's words may repeat those of the request, so they have a target of their own.
fn tell(error: &Error) {
    let code = error.own_code().unwrap_or("input.*");
    let said = error.without_guests_words();
    // Callers can repeat what is their own doing as often as they like.
    if error.is_of_the_caller() {
        tracing::debug!(target: "ampoule::request", code, error = %said, "refused");
    } else {
        tracing::warn!(target: "ampoule::request", code, error = %said, "failed");
    }
    if matches!(
        error,
        Error::RefusedInput { .. } | Error::Guest { .. } | Error::Trap { .. }
    ) {
        tracing::debug!(target: "ampoule::guest", code = error.code(), %error, "the guest's words");
    }
}

/// Drop guard: counts a request, or a step of one, when it is over, and as abandoned when nobody waits for its end.
struct Counting<'m> {
    model: Option<&'m Model>,
    urgency: Urgency,
    began: Instant,
    /// Time until a thread had begun it.
    waited: Arc<OnceLock<Duration>>,
}

impl<'m> Counting<'m> {
    fn begin(model: &'m Model, urgency: Urgency) -> Self {
        Self {
            model: Some(model),
            urgency,
            began: Instant::now(),
            waited: Arc::default(),
        }
    }

    fn end(mut self, error: Option<&Error>) {
        self.count(error, false);
    }

    fn forget(mut self) {
        self.model = None;
    }

    fn count(&mut self, error: Option<&Error>, is_abandoned: bool) {
        let Some(model) = self.model.take() else {
            return;
        };
        let took = self.began.elapsed();
        model.serving.totals.count(&RequestEvent {
            model: model.facts(),
            tenant: model.options.tenant.as_deref(),
            request_id: model.options.request_id.as_deref(),
            served_as: model.options.served_as.as_deref(),
            is_continued: self.urgency == Urgency::Continued,
            is_abandoned,
            waited: self.waited.get().copied().unwrap_or(took),
            took,
            error,
        });
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.count(None, true);
    }
}
