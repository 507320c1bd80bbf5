//! Generations as events: the one order that every family's stream is made of.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;
use std::time::Duration;

use ampoule::{
    Content, Error, Generation, GenerationRequest, Image, Model, SandboxReport, Task, Usage,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::core::context_length;
use crate::core::cores::cores;
use crate::core::kept::{KeptGeneration, Recorder};
use crate::core::properties::Properties;
use crate::core::question;
use crate::error::ApiError;
use crate::request::context::{Context, Cost};
use crate::request::room::Room;

/// Bytes of events that wait for a slow reader, over all choices of a request. An answer of some thousand tokens fits
/// here whole, so its guest ends at its own speed and is not held. A guest with a longer answer waits for the reader, at
/// most for the host's limit `idle`. Beside this room, each choice may have its first text and the one that waits, which
/// the host's limit `output` bounds.
const WAITING_BYTES: u32 = 1 << 20;

/// Bytes of pictures with which several choices of a request begin at once. Each beginning has a copy of the request, so
/// with more bytes the choices begin one after the other.
const COPIED_BYTES: usize = 1 << 20;

/// Tokens that a model puts around a turn: those of its template.
const TEMPLATE_TOKENS: usize = 8;

/// An event of a generation. Invariant: for each choice, any number of texts come before one end, and nothing comes
/// after it; nothing at all comes after an error.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The next text of a choice. Never empty.
    Text {
        /// Index of the choice, from 0.
        choice: usize,
        text: String,
    },
    /// The end of a choice.
    End(End),
}

impl Event {
    fn choice(&self) -> usize {
        match self {
            Self::Text { choice, .. } => *choice,
            Self::End(end) => end.choice,
        }
    }
}

/// The end of one choice.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// Index of the choice, from 0.
    pub(crate) choice: usize,
    /// `stop`, `stop-string`, `length`, or another word of lower-case letters, as the model says it.
    pub(crate) reason: String,
    pub(crate) usage: Usage,
    /// The cost of the sandbox; `None` for an answer that was kept.
    pub(crate) report: Option<SandboxReport>,
}

/// A generation's events, as they come. Dropping this ends its guests.
#[derive(Debug)]
pub(crate) struct Events {
    receiver: mpsc::UnboundedReceiver<Sent>,
    /// The events that [`Events::start`] waited for. They keep their room.
    first: VecDeque<Sent>,
    /// Choices that have not ended.
    open: usize,
    /// The tasks that ask the guests.
    tasks: JoinSet<()>,
}

/// A pump's message, with the room that it takes.
#[derive(Debug)]
struct Sent {
    event: Result<Event, ApiError>,
    room: Option<OwnedSemaphorePermit>,
}

impl Events {
    /// Starts a generation for each request. A stream waits for the first event of each, for `patience` at most, before
    /// its status is sent: an error before that is this function's own. `None` is for an answer that is collected whole,
    /// and waits for nothing here.
    pub(crate) async fn start(
        model: &Model,
        context: &Context,
        requests: Vec<GenerationRequest>,
        patience: Option<Duration>,
    ) -> Result<Self, ApiError> {
        Self::start_each(model, context, requests, 1, patience).await
    }

    /// As [`Events::start`], with `n` generations for each request. The choices of one request come together: choice k of
    /// request r has the index r × n + k, and its seed is the request's and k.
    pub(crate) async fn start_each(
        model: &Model,
        context: &Context,
        requests: Vec<GenerationRequest>,
        n: usize,
        patience: Option<Duration>,
    ) -> Result<Self, ApiError> {
        context.check_task(Task::TextGeneration, model)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(WAITING_BYTES as usize));
        let starts = Arc::new(Semaphore::new(starts_at_once(&requests, cores())));
        let mut tasks = JoinSet::new();
        let open = requests.len().saturating_mul(n);
        let each = requests.into_iter().flat_map(|request| {
            let request = Arc::new(request);
            (0..n as u64).map(move |k| (Arc::clone(&request), k))
        });
        for (choice, (request, k)) in each.enumerate() {
            let pump = Pump {
                model: model.clone(),
                context: context.clone(),
                choice,
                sender: sender.clone(),
                room: Arc::clone(&room),
                starts: Arc::clone(&starts),
                body: context.share_of_room(),
            };
            tasks.spawn(pump.run(request, k));
        }
        let mut events = Self {
            receiver,
            first: VecDeque::new(),
            open,
            tasks,
        };
        if let Some(patience) = patience {
            // A wait that is cut short loses no event: each that came is in `first`.
            let begun = tokio::time::timeout(patience, events.wait_for_each(open));
            begun.await.unwrap_or(Ok(()))?;
        }
        Ok(events)
    }

    /// Waits for the first event of each of so many choices.
    async fn wait_for_each(&mut self, choices: usize) -> Result<(), ApiError> {
        let mut has_begun = vec![false; choices];
        while has_begun.contains(&false) {
            let Sent { event, room } = self.receive().await;
            let event = event?;
            if let Some(begun) = has_begun.get_mut(event.choice()) {
                *begun = true;
            }
            let event = Ok(event);
            self.first.push_back(Sent { event, room });
        }
        Ok(())
    }

    async fn receive(&mut self) -> Sent {
        self.receiver.recv().await.unwrap_or_else(|| Sent {
            event: Err(ApiError::internal("a generation went without its end")),
            room: None,
        })
    }

    /// Returns the next event; `None` after the end of the last choice and after an error. A wait for it can be given up
    /// and begun again.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, ApiError>> {
        if self.open == 0 {
            return None;
        }
        let next = match self.first.pop_front() {
            Some(first) => first.event,
            None => self.receive().await.event,
        };
        match &next {
            Ok(Event::Text { .. }) => {}
            Ok(Event::End(_)) => self.open -= 1,
            Err(_) => {
                // The other choices are of no use to anybody.
                self.tasks.abort_all();
                self.open = 0;
            }
        }
        Some(next)
    }

    /// Makes the events of so many choices that came already.
    #[cfg(test)]
    pub(crate) fn of(choices: usize, all: Vec<Result<Event, ApiError>>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        for event in all {
            let _ = sender.send(Sent { event, room: None });
        }
        Self::received(choices, receiver)
    }

    #[cfg(test)]
    fn received(choices: usize, receiver: mpsc::UnboundedReceiver<Sent>) -> Self {
        Self {
            receiver,
            first: VecDeque::new(),
            open: choices,
            tasks: JoinSet::new(),
        }
    }

    /// Collects the whole answers, by choice.
    pub(crate) async fn collect(mut self) -> Result<Vec<Whole>, ApiError> {
        let mut wholes: Vec<(String, Option<End>)> = Vec::new();
        while let Some(event) = self.next().await {
            let (choice, text, end) = match event? {
                Event::Text { choice, text } => (choice, text, None),
                Event::End(end) => (end.choice, String::new(), Some(end)),
            };
            if wholes.len() <= choice {
                wholes.resize_with(choice + 1, Default::default);
            }
            wholes[choice].0.push_str(&text);
            wholes[choice].1 = end;
        }
        let whole = |(text, end): (String, Option<End>)| {
            let end = end.ok_or_else(|| ApiError::internal("a choice had no end"))?;
            Ok(Whole { text, end })
        };
        wholes.into_iter().map(whole).collect()
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) end: End,
}

/// Asks one guest for its chunks and sends them on.
struct Pump {
    model: Model,
    context: Context,
    choice: usize,
    sender: mpsc::UnboundedSender<Sent>,
    /// Room for events that wait.
    room: Arc<Semaphore>,
    /// Permits to begin. Each beginning has a copy of the request with its pictures, so few begin at once.
    starts: Arc<Semaphore>,
    /// A share of the room of the request's body, for as long as a choice has its pictures and has not begun.
    body: Option<Arc<Room>>,
}

impl Pump {
    async fn run(mut self, request: Arc<GenerationRequest>, k: u64) {
        let context = self.context.clone();
        let body = self.body.take();
        let seed = request.sampling.seed.map(|seed| seed.wrapping_add(k));
        let lookup = question::of_generation(&context, &self.model, &request, seed).await;
        if let Some(lookup) = &lookup {
            let usage_of = |kept: &KeptGeneration| kept.usage.into();
            if let Some(kept) = lookup.find(&context, usage_of).await {
                drop((request, body));
                return self.replay(kept).await;
            }
        }
        let pump = self.pump(request, seed, body, lookup.map(Recorder::new));
        let pumped = context.in_sandbox(Task::TextGeneration, pump).await;
        if let Err(error) = pumped {
            // Of an answer that has begun, the status says nothing of it.
            self.context.notes().error = Some(error.operators_code().to_owned());
            self.send(Err(error), None);
        }
    }

    /// Sends the chunks of an answer that was kept, as they came when it was made.
    async fn replay(&self, kept: KeptGeneration) {
        let mut is_first = true;
        for text in kept.texts {
            let since = self.context.begun().elapsed();
            self.context.notes().first_token.get_or_insert(since);
            self.text(text, is_first).await;
            is_first = false;
        }
        let end = End {
            choice: self.choice,
            reason: kept.reason,
            usage: kept.usage.into(),
            report: None,
        };
        self.send(Ok(Event::End(end)), None);
    }

    async fn begin(
        &self,
        request: Arc<GenerationRequest>,
        seed: Option<u64>,
    ) -> Result<Generation, Error> {
        // Nobody closes the semaphore.
        let _permit = self.starts.acquire().await.ok();
        let mut request = Arc::unwrap_or_clone(request);
        request.sampling.seed = seed;
        self.model.generate(request).await
    }

    /// Sends on all chunks of an answer. A share of the body's room is kept until it has begun.
    async fn pump(
        &self,
        request: Arc<GenerationRequest>,
        seed: Option<u64>,
        body: Option<Arc<Room>>,
        mut recorder: Option<Recorder>,
    ) -> Result<(), ApiError> {
        let is_long = may_be_too_long(&self.model, &request);
        let begun = self.begin(request, seed).await;
        let mut generation = begun.map_err(|error| self.explained(error, is_long))?;
        drop(body);
        let mut has_waited = false;
        let mut cost = None;
        let mut usage = Usage::default();
        self.note(&mut cost, &generation, usage);
        let mut is_first = true;
        while let Some(chunk) = generation
            .next()
            .await
            .map_err(|error| self.stopped(error, is_long, has_waited))?
        {
            // A model tells its tokens at its end, and one that is ended before counts as its chunks.
            usage.output_tokens = usage.output_tokens.saturating_add(1);
            let usage = chunk.finish.as_ref().map_or(usage, |finish| finish.usage);
            // Before the wait for room, within which the client may go away.
            self.note(&mut cost, &generation, usage);
            has_waited = false;
            if !chunk.text.is_empty() {
                let since = self.context.begun().elapsed();
                self.context.notes().first_token.get_or_insert(since);
                recorder = recorder.and_then(|recorder| recorder.text(&chunk.text));
                has_waited = self.text(chunk.text, is_first).await;
                is_first = false;
            }
            if let Some(finish) = chunk.finish {
                if let Some(recorder) = recorder.take() {
                    recorder.end(&finish.reason, finish.usage).await;
                }
                let end = End {
                    choice: self.choice,
                    reason: finish.reason,
                    usage: finish.usage,
                    report: Some(generation.report()),
                };
                self.send(Ok(Event::End(end)), None);
                return Ok(());
            }
        }
        Err(ApiError::internal(
            "a generation ended without its last chunk",
        ))
    }

    /// Notes the cost by now, so that a generation that never comes to its end is counted too.
    fn note(&self, last: &mut Option<Cost>, generation: &Generation, usage: Usage) {
        self.context.note_progress(last, generation.costs(), usage);
    }

    /// Makes the error of a step that failed. Nobody but this server asks for the chunks, so one that was asked for too
    /// late, without a wait for the caller, is no fault of theirs.
    fn stopped(&self, error: Error, is_long: bool, has_waited: bool) -> ApiError {
        match error {
            Error::Idle { .. } if !has_waited => ApiError::slow(),
            error => self.explained(error, is_long),
        }
    }

    /// Makes the error of a request whose text may be longer than the model reads, or whose text is surely not.
    fn explained(&self, error: Error, is_long: bool) -> ApiError {
        let is_of_model = matches!(error, Error::RefusedInput { .. });
        let mut error = ApiError::from(error);
        // The model's word for too large is one for texts and pictures.
        error.is_too_long &= is_long || !is_of_model;
        context_length::named(error, &self.model)
    }

    /// Sends a text on once there is room for it. A text that is larger than all room waits until it is the only one. The
    /// first text takes no room: a stream begins with the first of each choice, and a choice with much to say would keep
    /// the others out. Tells whether it had to wait for room, which is a wait for the caller.
    async fn text(&self, text: String, is_first: bool) -> bool {
        let mut room = None;
        let mut has_waited = false;
        if !is_first {
            let bytes = text.len().saturating_add(size_of::<Sent>());
            let bytes = u32::try_from(bytes).unwrap_or(WAITING_BYTES);
            let bytes = bytes.min(WAITING_BYTES);
            room = Arc::clone(&self.room).try_acquire_many_owned(bytes).ok();
            if room.is_none() {
                has_waited = true;
                // Nobody closes the semaphore.
                room = Arc::clone(&self.room).acquire_many_owned(bytes).await.ok();
            }
        }
        let choice = self.choice;
        self.send(Ok(Event::Text { choice, text }), room);
        has_waited
    }

    fn send(&self, event: Result<Event, ApiError>, room: Option<OwnedSemaphorePermit>) {
        // Whoever has gone needs none, and has ended this task.
        let _ = self.sender.send(Sent { event, room });
    }
}

/// Returns how many choices of these requests may begin at once.
fn starts_at_once(requests: &[GenerationRequest], cores: usize) -> usize {
    let messages = requests.iter().flat_map(|request| &request.messages);
    let contents = messages.flat_map(|message| &message.content);
    let bytes = contents.map(|content| match content {
        Content::Text(_) => 0,
        Content::Image(Image::Encoded(bytes) | Image::Rgb8 { pixels: bytes, .. }) => bytes.len(),
    });
    if bytes.fold(0, usize::saturating_add) > COPIED_BYTES {
        1
    } else {
        cores
    }
}

/// Tells whether a request's text may be longer than the model reads. A token has a byte at least, so a text of fewer
/// bytes is short enough: what the model refuses as too large is then a picture.
fn may_be_too_long(model: &Model, request: &GenerationRequest) -> bool {
    let contents = || request.messages.iter().flat_map(|message| &message.content);
    let has_pictures = contents().any(|content| matches!(content, Content::Image(_)));
    let bytes = contents().map(|content| match content {
        Content::Text(text) => text.len(),
        Content::Image(_) => 0,
    });
    let around = request.messages.len().saturating_mul(TEMPLATE_TOKENS);
    let most = bytes.fold(around, usize::saturating_add) as u64;
    let length = Properties::of(model.info()).max_tokens();
    !has_pictures || length.is_none_or(|length| most > length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn sent(choice: usize, room: Option<OwnedSemaphorePermit>) -> Sent {
        let text = "word ".to_owned();
        Sent {
            event: Ok(Event::Text { choice, text }),
            room,
        }
    }

    #[test]
    fn choices_with_large_pictures_begin_one_after_the_other() {
        let file = |bytes| Content::Image(Image::Encoded(vec![0; bytes]));
        let pixels = |bytes| {
            Content::Image(Image::Rgb8 {
                width: 0,
                height: 0,
                pixels: vec![0; bytes],
            })
        };
        let half = COPIED_BYTES / 2;
        for (first, second, expected) in [
            (file(half), pixels(half), 7),
            (file(half), pixels(half + 1), 1),
            (file(half + 1), pixels(half), 1),
            (Content::Text("a".repeat(3 * half)), file(half), 7),
        ] {
            let mut requests = vec![GenerationRequest::question("", 1); 2];
            requests[0].messages[0].content.push(first);
            requests[1].messages[0].content.push(second);
            assert_eq!(starts_at_once(&requests, 7), expected);
        }
    }

    #[tokio::test]
    async fn events_that_a_stream_waits_with_keep_their_room_until_they_are_read() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut events = Events::received(2, receiver);
        let room = Arc::new(Semaphore::new(3));
        for _ in 0..3 {
            let permit = Arc::clone(&room).try_acquire_owned().ok();
            assert!(permit.is_some());
            sender.send(sent(0, permit)).unwrap();
        }
        let wait = events.wait_for_each(2);
        let waited = tokio::time::timeout(Duration::from_millis(10), wait).await;
        assert!(waited.is_err(), "the second choice has not begun");
        assert_eq!(room.available_permits(), 0);
        for read in 1..=3 {
            assert!(events.next().await.is_some());
            assert_eq!(room.available_permits(), read);
        }
    }
}
