//! The spans of a request's sandboxes, and of their waits for a thread.
//!
//! The host tells of a sandbox request when it is over, so the spans are made then and begin in the past.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ampoule::{ByteSize, Fuel, RequestEvent, SandboxReport, Task};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, Status};

use crate::metrics::code_label;
use crate::traces::attributes::{ERROR_TYPE, FUEL, PEAK_MEMORY, number, text};
use crate::traces::request_span::{RequestSpan, Traced};

/// The code of a refusal because the host has no room.
const BUSY: &str = "limit.busy";

tokio::task_local! {
    /// The sandbox that the future at hand waits for: the host tells of its requests on the thread that polls it.
    static SANDBOX: Arc<Sandbox>;
}

/// Runs a future that makes one sandbox request, with its next steps, within the span of its request.
pub(crate) async fn in_sandbox<F: Future>(span: &RequestSpan, task: Task, call: F) -> F::Output {
    let Some(traced) = &span.traced else {
        return call.await;
    };
    if let Some(operation) = operation(task) {
        // Texts may be tokenized before they are embedded: the first operation is the request's.
        let _ = traced.operation.set(operation);
    }
    let sandbox = Sandbox {
        traced: Arc::clone(traced),
        task,
        call: Mutex::new(None),
    };
    SANDBOX.scope(Arc::new(sandbox), call).await
}

/// Returns the name of a task by the conventions for generative models, if they have it.
fn operation(task: Task) -> Option<&'static str> {
    match task {
        Task::TextEmbedding | Task::ImageEmbedding => Some("embeddings"),
        Task::TextGeneration => Some("chat"),
        _ => None,
    }
}

/// Takes note of a sandbox request, or a step of one, that is over.
pub(crate) fn sandbox_step(event: &RequestEvent<'_>) {
    // Others than callers ask too, such as a program that has a model of the same host.
    let _ = SANDBOX.try_with(|sandbox| sandbox.step(event));
}

/// Takes note of the cost of the sandbox at hand, by now.
pub(crate) fn sandbox_report(report: &SandboxReport) {
    let _ = SANDBOX.try_with(|sandbox| {
        if let Some(call) = &mut *sandbox.call() {
            call.costs = Some((report.fuel, report.peak_memory));
        }
    });
}

/// A sandbox of a request. Its spans are made when this is dropped.
#[derive(Debug)]
struct Sandbox {
    traced: Arc<Traced>,
    task: Task,
    call: Mutex<Option<Call>>,
}

/// A sandbox request with its steps so far.
#[derive(Debug)]
struct Call {
    /// The model's own name and release.
    model: [KeyValue; 3],
    asked: Instant,
    /// The moment at which a thread began it; `None` where none did.
    begun: Option<Instant>,
    /// The end of the last step.
    ended: Instant,
    steps: u64,
    is_abandoned: bool,
    error: Option<KeyValue>,
    /// The fuel, and the most memory.
    costs: Option<(Fuel, ByteSize)>,
}

impl Sandbox {
    fn call(&self) -> MutexGuard<'_, Option<Call>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, event: &RequestEvent<'_>) {
        let mut call = self.call();
        if event.is_continued {
            if let Some(call) = &mut *call {
                call.step(event);
            }
        } else if let Some(before) = call.replace(Call::new(event)) {
            self.tell(before);
        }
    }

    fn tell(&self, call: Call) {
        let mut waited = call.model.to_vec();
        let Some(begun) = call.begun else {
            waited.extend(call.error.clone());
            self.span(
                "queue",
                call.asked,
                call.ended,
                waited,
                call.error.is_some(),
            );
            return;
        };
        self.span("queue", call.asked, begun, waited, false);
        let mut worked = call.model.to_vec();
        worked.push(KeyValue::new("ampoule.task", self.task.name()));
        worked.push(number("ampoule.steps", call.steps));
        worked.push(KeyValue::new("ampoule.abandoned", call.is_abandoned));
        if let Some((fuel, peak_memory)) = call.costs {
            worked.push(number(FUEL, fuel.get()));
            worked.push(number(PEAK_MEMORY, peak_memory.bytes()));
        }
        let has_failed = call.error.is_some();
        worked.extend(call.error);
        self.span("sandbox", begun, call.ended, worked, has_failed);
    }

    fn span(
        &self,
        name: &'static str,
        begun: Instant,
        ended: Instant,
        attributes: Vec<KeyValue>,
        has_failed: bool,
    ) {
        let traced = &self.traced;
        let mut span = SpanBuilder::from_name(name)
            .with_start_time(traced.time(begun))
            .with_attributes(attributes)
            .start_with_context(&traced.tracer, &traced.context);
        if has_failed {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(traced.time(ended));
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let call = self.call().take();
        if let Some(call) = call {
            self.tell(call);
        }
    }
}

impl Call {
    fn new(event: &RequestEvent<'_>) -> Self {
        let ended = Instant::now();
        let asked = ended.checked_sub(event.took).unwrap_or(ended);
        // One that never began has waited all of the time. A thread may find no room for its sandbox, too.
        let is_refused = event.error.is_some_and(|error| error.code() == BUSY);
        let has_begun = event.waited < event.took && !is_refused;
        let mut call = Self {
            model: [
                text("ampoule.model.publisher", &event.model.publisher),
                text("ampoule.model.name", &event.model.name),
                number("ampoule.model.release", event.model.release),
            ],
            asked,
            begun: has_begun.then(|| asked + event.waited),
            ended,
            steps: 0,
            is_abandoned: false,
            error: None,
            costs: None,
        };
        call.step(event);
        call
    }

    fn step(&mut self, event: &RequestEvent<'_>) {
        self.ended = Instant::now();
        self.steps += 1;
        self.is_abandoned = event.is_abandoned;
        let code = event.error.map(|error| code_label(error.code()));
        self.error = code.map(|code| text(ERROR_TYPE, code));
    }
}
