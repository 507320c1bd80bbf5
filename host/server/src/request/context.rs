//! A request's own facts, from its first layer to its last line of log.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ampoule::{
    Answer, ByteSize, CallOptions, Error, Fuel, Model, RequestLimits, SandboxReport, Task, Usage,
};
use ampoule_access::{Charge, Permission, Principal, Reason};
use ampoule_answers::TenantAnswers;
use ampoule_audit::RowPermit;
use ampoule_units::hex;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};

use crate::request::counted::Counted;
use crate::request::family::Family;
use crate::request::room::Room;
use crate::traces::{RequestSpan, in_sandbox, sandbox_report};

/// The header with a request's id: read where it is harmless, made otherwise, and part of each answer. OpenAI's clients
/// show it to their users.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a request's id: as many as the library keeps of one.
const MAX_ID_CHARS: usize = 64;

/// The facts of one request. Clones are of the same request.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: Arc<str>,
    family: Family,
    begun: Instant,
    notes: Mutex<Notes>,
    span: RequestSpan,
    /// Room that the request's body takes.
    room: Mutex<Option<Arc<Room>>>,
    /// Bytes of the request's body, once it is unpacked.
    body_bytes: AtomicUsize,
    /// The caller, once the request was let in.
    caller: OnceLock<Principal>,
    /// The request's part of its caller's limits, until its end.
    charge: Mutex<Option<Charge>>,
    /// The answers that are kept for the caller's tenant.
    answers: OnceLock<TenantAnswers>,
    /// Room for the request's row in the audit log, until the request's end.
    row: Mutex<Option<RowPermit>>,
}

/// The costs of a request, noted while it is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// The pattern of the route; `None` where there is no such route.
    pub(crate) route: Option<MatchedPath>,
    /// The model that answered, by its own name and not by the caller's.
    pub(crate) model: Option<Arc<str>>,
    /// The release of the model that answers.
    pub(crate) asked: Option<Model>,
    /// The task that was asked for last.
    pub(crate) task: Option<Task>,
    /// Sandboxes that have worked for the request.
    pub(crate) sandboxes: u64,
    /// Bytes of the request's body that were read.
    pub(crate) body_bytes: u64,
    /// Tokens that sandboxes have read, and those of answers that were kept.
    pub(crate) input_tokens: u64,
    /// Tokens that sandboxes have written, and those of answers that were kept.
    pub(crate) output_tokens: u64,
    pub(crate) fuel: Fuel,
    /// Calls that were answered by a kept answer.
    pub(crate) hits: u64,
    /// Calls of which no answer was kept, and might have been.
    pub(crate) misses: u64,
    /// The most memory of a sandbox.
    pub(crate) peak_memory: ByteSize,
    /// Time from the request's beginning to the first piece of a generation.
    pub(crate) first_token: Option<Duration>,
    /// The code of the error with which the request ended.
    pub(crate) error: Option<String>,
    /// The connection ended before the request's body did.
    pub(crate) has_left: bool,
    /// The caller, if the credential was accepted.
    pub(crate) caller: Option<Principal>,
    /// Address and route by which the request counts for the caller's limits.
    pub(crate) counted: Option<Counted>,
    /// The reason why the request was not let in.
    pub(crate) denied: Option<Reason>,
    /// Set once the request was let in.
    pub(crate) is_let_in: bool,
    /// Set for a request that has no row in the audit log: to a public route, or refused for want of a row.
    pub(crate) is_unrecorded: bool,
}

/// The cost of a sandbox that is part of a request's notes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    fuel: u64,
    usage: Usage,
}

impl Context {
    /// Makes the context of a request, with the caller's id if it is short and plain.
    pub(crate) fn new(family: Family, id: Option<&HeaderValue>) -> Self {
        Self::traced(family, id, RequestSpan::none())
    }

    /// Makes the context of a request as [`Context::new`] does, with its span.
    pub(crate) fn traced(family: Family, id: Option<&HeaderValue>, span: RequestSpan) -> Self {
        let id = id.and_then(|id| id.to_str().ok()).filter(|id| is_plain(id));
        let id = id.map_or_else(|| random_hex(16).into(), Into::into);
        Self {
            inner: Arc::new(Inner {
                id,
                family,
                begun: Instant::now(),
                notes: Mutex::default(),
                span,
                room: Mutex::default(),
                body_bytes: AtomicUsize::new(0),
                caller: OnceLock::new(),
                charge: Mutex::default(),
                answers: OnceLock::new(),
                row: Mutex::default(),
            }),
        }
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.inner.id
    }

    pub(crate) fn family(&self) -> Family {
        self.inner.family
    }

    pub(crate) fn begun(&self) -> Instant {
        self.inner.begun
    }

    /// Returns the request's span.
    pub(crate) fn span(&self) -> &RequestSpan {
        &self.inner.span
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        let notes = self.inner.notes.lock();
        notes.unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the room of the request's body, which has so many bytes.
    pub(crate) fn keep_room(&self, room: Room, bytes: usize) {
        *self.room() = Some(Arc::new(room));
        self.inner.body_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Returns the bytes of the request's body, once it is unpacked; 0 before it has come.
    pub(crate) fn body_bytes(&self) -> usize {
        self.inner.body_bytes.load(Ordering::Relaxed)
    }

    /// Returns a share of the room of the request's body, for whoever needs parts of the body after the answer begins. The
    /// room is free when the last share is dropped.
    pub(crate) fn share_of_room(&self) -> Option<Arc<Room>> {
        self.room().clone()
    }

    /// Gives the request's own share of its body's room back.
    pub(crate) fn leave_room(&self) {
        *self.room() = None;
    }

    fn room(&self) -> MutexGuard<'_, Option<Arc<Room>>> {
        let room = self.inner.room.lock();
        room.unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the request in.
    pub(crate) fn let_in(&self, caller: Principal, charge: Option<Charge>) {
        let mut notes = self.notes();
        notes.caller = Some(caller.clone());
        notes.is_let_in = true;
        drop(notes);
        *self.charge() = charge;
        let _ = self.inner.caller.set(caller);
    }

    /// Returns the caller of a request that was let in, and who is no stranger.
    pub(crate) fn caller(&self) -> Option<&Principal> {
        self.inner.caller.get()
    }

    /// Looks answers of this request up in those that are kept for the caller's tenant, and keeps them there.
    pub(crate) fn keep_answers_in(&self, answers: TenantAnswers) {
        let _ = self.inner.answers.set(answers);
    }

    /// Returns the answers that are kept for the caller's tenant, where any are.
    pub(crate) fn answers(&self) -> Option<&TenantAnswers> {
        self.inner.answers.get()
    }

    /// Tells whether the caller has a permission.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.caller().is_some_and(|caller| caller.may(permission))
    }

    /// Returns the tasks of a model that the caller may ask for.
    pub(crate) fn tasks_of(&self, model: &Model) -> Vec<Task> {
        let may_do = |task: &Task| {
            let caller = self.caller();
            caller.is_some_and(|caller| caller.may_do(task.name()))
        };
        model.tasks().iter().copied().filter(may_do).collect()
    }

    /// Refuses a task that the model lacks, or that the caller may not ask for: both alike.
    ///
    /// # Errors
    ///
    /// `usage.task`.
    pub(crate) fn check_task(&self, task: Task, model: &Model) -> ampoule::Result<()> {
        self.notes().task = Some(task);
        let tasks = self.tasks_of(model);
        if tasks.contains(&task) {
            return Ok(());
        }
        let offered: Vec<&str> = tasks.iter().map(|task| task.name()).collect();
        Err(Error::NoSuchTask {
            asked: task,
            offered: offered.join(", "),
        })
    }

    /// Takes the request's part of its caller's limits, at the request's end.
    pub(crate) fn take_charge(&self) -> Option<Charge> {
        self.charge().take()
    }

    /// Keeps room for the request's row until its end.
    pub(crate) fn keep_row(&self, permit: RowPermit) {
        *self.row() = Some(permit);
    }

    /// Takes the room for the request's row, at the request's end.
    pub(crate) fn take_row(&self) -> Option<RowPermit> {
        self.row().take()
    }

    fn row(&self) -> MutexGuard<'_, Option<RowPermit>> {
        let row = self.inner.row.lock();
        row.unwrap_or_else(PoisonError::into_inner)
    }

    fn charge(&self) -> MutexGuard<'_, Option<Charge>> {
        let charge = self.inner.charge.lock();
        charge.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a model's answer, with the sandbox in the request's trace.
    ///
    /// # Errors
    ///
    /// `usage.task` where the caller may not ask for the task, and those of the call.
    pub(crate) async fn ask<T>(
        &self,
        task: Task,
        model: &Model,
        call: impl Future<Output = ampoule::Result<Answer<T>>>,
    ) -> ampoule::Result<Answer<T>> {
        self.check_task(task, model)?;
        let call = async {
            let answer = call.await?;
            sandbox_report(&answer.sandbox);
            Ok(answer)
        };
        self.in_sandbox(task, call).await
    }

    /// Runs a future that makes one sandbox request, and maybe next steps of it, with the sandbox in the request's trace.
    pub(crate) async fn in_sandbox<F: Future>(&self, task: Task, call: F) -> F::Output {
        in_sandbox(self.span(), task, call).await
    }

    /// Adds what a sandbox has cost.
    pub(crate) fn note(&self, report: &SandboxReport, usage: Usage) {
        self.note_progress(&mut None, report, usage);
    }

    /// Adds what a sandbox has cost since `last`, which is `None` before the first call, and the cost by now afterwards.
    pub(crate) fn note_progress(
        &self,
        last: &mut Option<Cost>,
        report: &SandboxReport,
        usage: Usage,
    ) {
        sandbox_report(report);
        let mut notes = self.notes();
        notes.sandboxes += u64::from(last.is_none());
        let now = Cost {
            fuel: report.fuel.get(),
            usage,
        };
        let before = last.replace(now).unwrap_or_default();
        let add =
            |total: u64, before: u64, now: u64| total.saturating_sub(before).saturating_add(now);
        let fuel = add(notes.fuel.get(), before.fuel, now.fuel);
        notes.fuel = Fuel::new(fuel);
        let read = |cost: Cost| u64::from(cost.usage.input_tokens);
        notes.input_tokens = add(notes.input_tokens, read(before), read(now));
        let written = |cost: Cost| u64::from(cost.usage.output_tokens);
        notes.output_tokens = add(notes.output_tokens, written(before), written(now));
        notes.peak_memory = notes.peak_memory.max(report.peak_memory);
    }

    /// Adds a call that was answered by a kept answer. It has cost no fuel.
    pub(crate) fn note_hit(&self, usage: Usage) {
        let mut notes = self.notes();
        notes.hits += 1;
        let add = |total: u64, more: u32| total.saturating_add(u64::from(more));
        notes.input_tokens = add(notes.input_tokens, usage.input_tokens);
        notes.output_tokens = add(notes.output_tokens, usage.output_tokens);
    }

    /// Returns the options of a call of this request to the model of this own name.
    pub(crate) fn call_options(&self, name: &Arc<str>, at_most: RequestLimits) -> CallOptions {
        CallOptions {
            at_most,
            request_id: Some(Arc::clone(self.id())),
            served_as: Some(Arc::clone(name)),
            tenant: self
                .caller()
                .and_then(Principal::tenant)
                .map(|tenant| Arc::clone(tenant.shared())),
        }
    }
}

impl Notes {
    /// Returns `hit` where each call was answered by a kept answer, and `miss` where one was not; `None` where no answer
    /// was looked up.
    pub(crate) fn cache(&self) -> Option<&'static str> {
        match (self.hits, self.misses) {
            (0, 0) => None,
            (_, 0) => Some("hit"),
            (_, _) => Some("miss"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The outermost layer has made it; a router that is mounted without that layer makes it here.
        let context = parts.extensions.get::<Self>().cloned();
        Ok(context.unwrap_or_else(|| {
            let family = Family::of(parts.method.as_str(), parts.uri.path());
            Self::new(family, parts.headers.get(REQUEST_ID))
        }))
    }
}

fn is_plain(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(is_plain)
}

/// Returns `bytes` random bytes in hexadecimal, for ids. Without a source of random numbers they repeat, and nothing
/// depends on them.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    if getrandom::fill(&mut random).is_err() {
        tracing::warn!(target: "ampoule::server", "the system gives no random numbers; ids repeat");
    }
    let mut text = String::with_capacity(2 * bytes);
    // Writing to a string cannot fail.
    let _ = hex::write(&random, &mut text);
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::request::room::Rooms;

    #[test]
    fn room_is_kept_until_everybody_has_left_it() {
        let rooms = Arc::new(Rooms::new(ByteSize::from_mib(1), 0));
        let mut room = Room::new(&rooms);
        room.grow_to(1 << 20).unwrap();
        let context = Context::new(Family::of("POST", "/v1/chat/completions"), None);
        context.keep_room(room, 1 << 20);
        let share = context.share_of_room();
        context.leave_room();
        assert!(
            Room::new(&rooms).grow_to(1).is_err(),
            "a choice has not begun"
        );
        drop(share);
        Room::new(&rooms).grow_to(1 << 20).unwrap();
    }
}
