//! Generations as events: the one order that every family's stream is made of.

use std::time::{Duration, Instant};

use ampoule::{GenerationRequest, Model, SandboxReport, Usage};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::ApiError;
use crate::http::context::Context;

/// Events that wait for a slow reader. A guest is not held by a reader who is slow: most answers fit here whole, and a
/// longer one ends by the limit `idle` if nobody reads.
const WAITING_EVENTS: usize = 256;

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

/// The end of one choice.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// Index of the choice, from 0.
    pub(crate) choice: usize,
    /// `stop`, `stop-string`, `length`, or another word of lower-case letters, as the model says it.
    pub(crate) reason: String,
    pub(crate) usage: Usage,
    pub(crate) report: SandboxReport,
}

/// A generation's events, as they come. Dropping this ends its guests.
#[derive(Debug)]
pub(crate) struct Events {
    receiver: mpsc::Receiver<Result<Event, ApiError>>,
    /// The event that [`Events::start`] waited for.
    first: Option<Result<Event, ApiError>>,
    /// Choices that have not ended.
    open: usize,
    /// The tasks that ask the guests.
    _tasks: JoinSet<()>,
}

impl Events {
    /// Starts a generation for each request, and waits for the first event or for `patience`. An error before the first
    /// event is this function's own, so that the answer's status can say it.
    pub(crate) async fn start(
        model: &Model,
        context: &Context,
        requests: Vec<GenerationRequest>,
        patience: Option<Duration>,
    ) -> Result<Self, ApiError> {
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        let mut tasks = JoinSet::new();
        let open = requests.len();
        for (choice, request) in requests.into_iter().enumerate() {
            let pump = Pump {
                model: model.clone(),
                context: context.clone(),
                choice,
                sender: sender.clone(),
            };
            tasks.spawn(pump.run(request));
        }
        let mut events = Self {
            receiver,
            first: None,
            open,
            _tasks: tasks,
        };
        let first = events.receiver.recv();
        let first = match patience {
            Some(patience) => tokio::time::timeout(patience, first).await.unwrap_or(None),
            None => first.await,
        };
        match first {
            Some(Err(error)) => Err(error),
            first => {
                events.first = first;
                Ok(events)
            }
        }
    }

    /// Returns the next event; `None` after the end of the last choice and after an error.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, ApiError>> {
        if self.open == 0 {
            return None;
        }
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.receiver.recv().await,
        };
        match &next {
            Some(Ok(Event::Text { .. })) => {}
            Some(Ok(Event::End(_))) => self.open -= 1,
            Some(Err(_)) => self.open = 0,
            None => {
                self.open = 0;
                return Some(Err(ApiError::internal("a generation went without its end")));
            }
        }
        next
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
    sender: mpsc::Sender<Result<Event, ApiError>>,
}

impl Pump {
    async fn run(self, request: GenerationRequest) {
        if let Err(error) = self.pump(request).await {
            // Whoever has gone needs no error.
            let _ = self.sender.send(Err(error)).await;
        }
    }

    async fn pump(&self, request: GenerationRequest) -> Result<(), ApiError> {
        let begun = Instant::now();
        let mut generation = self.model.generate(request).await?;
        while let Some(chunk) = generation.next().await? {
            let choice = self.choice;
            if !chunk.text.is_empty() {
                self.context
                    .notes()
                    .first_token
                    .get_or_insert(begun.elapsed());
                let text = Event::Text {
                    choice,
                    text: chunk.text,
                };
                if self.sender.send(Ok(text)).await.is_err() {
                    return Ok(());
                }
            }
            if let Some(finish) = chunk.finish {
                let report = generation.report();
                self.context.note(&report, finish.usage);
                let (reason, usage) = (finish.reason, finish.usage);
                let end = Event::End(End {
                    choice,
                    reason,
                    usage,
                    report,
                });
                let _ = self.sender.send(Ok(end)).await;
                return Ok(());
            }
        }
        Err(ApiError::internal(
            "a generation ended without its last chunk",
        ))
    }
}
