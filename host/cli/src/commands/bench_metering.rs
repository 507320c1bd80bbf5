//! Costs of metering: the part of `ampoule bench` that asks with and without it.

use std::fmt;

use ampoule::{GenerationRequest, Image, Model, SandboxReport, Task};
use serde::Serialize;

use super::ask::each_piece;
use super::bench_answers::{median, millis};
use crate::error::Error;

/// Some sixty tokens, as a model of texts is usually given them.
const TEXT: &str = "The harbour was quiet that morning. A few gulls stood on the sea wall and watched the \
                    ferry come in; on the quay two men unloaded crates of oranges and argued about the \
                    price of diesel, and behind them the first customers of the market went from stall \
                    to stall with their baskets.";

/// The side of a picture whose colours run from one corner to the other.
const SIDE: u32 = 256;

/// The work whose answers are compared.
pub(crate) enum Work {
    Generate(GenerationRequest),
    EmbedText,
    EmbedImage,
    Classify,
    Tokenize,
}

/// Medians of the same answers, in milliseconds.
#[derive(Serialize)]
pub(crate) struct Metering {
    /// The work.
    task: String,
    metered_ms: f64,
    unmetered_ms: f64,
}

impl Metering {
    pub(crate) fn ratio(&self) -> f64 {
        self.metered_ms / self.unmetered_ms
    }
}

impl fmt::Display for Metering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} times as long as without ({}: {:.1} ms, {:.1} without)",
            self.ratio(),
            self.task,
            self.metered_ms,
            self.unmetered_ms
        )
    }
}

impl Work {
    /// The request where there is one, or else the hardest thing that the model does with a text or a
    /// picture that suits any. Without a request there is nothing to generate from: only its publisher
    /// knows what a model that generates wants to be asked.
    pub(crate) fn for_model(model: &Model, request: Option<GenerationRequest>) -> Option<Self> {
        if let Some(request) = request {
            return Some(Self::Generate(request));
        }
        [
            (Task::TextEmbedding, Self::EmbedText),
            (Task::ImageEmbedding, Self::EmbedImage),
            (Task::ImageClassification, Self::Classify),
            (Task::TextTokenization, Self::Tokenize),
        ]
        .into_iter()
        .find_map(|(task, work)| model.tasks().contains(&task).then_some(work))
    }

    fn task(&self) -> Task {
        match self {
            Self::Generate(_) => Task::TextGeneration,
            Self::EmbedText => Task::TextEmbedding,
            Self::EmbedImage => Task::ImageEmbedding,
            Self::Classify => Task::ImageClassification,
            Self::Tokenize => Task::TextTokenization,
        }
    }

    /// Does the work once, in a sandbox of its own.
    async fn once(&self, model: &Model) -> Result<SandboxReport, Error> {
        Ok(match self {
            Self::Generate(request) => {
                let mut generation = model.generate(request.clone()).await?;
                each_piece(&mut generation, |_| Ok(())).await?;
                generation.report()
            }
            Self::EmbedText => model.embed_text(&[TEXT]).await?.sandbox,
            Self::EmbedImage => model.embed_images(vec![picture()]).await?.sandbox,
            Self::Classify => model.classify_image(picture(), 1).await?.sandbox,
            Self::Tokenize => model.tokenize(&[TEXT]).await?.sandbox,
        })
    }
}

/// Asks both by turns, so that other work of the machine slows both.
pub(crate) async fn measure(
    work: &Work,
    metered: &Model,
    unmetered: &Model,
    runs: u32,
) -> Result<Metering, Error> {
    let mut times = [Vec::new(), Vec::new()];
    // The first of each finds nothing in caches.
    for run in 0..=runs {
        for (model, times) in [metered, unmetered].into_iter().zip(&mut times) {
            let time = millis(work.once(model).await?.wall);
            if run > 0 {
                times.push(time);
            }
        }
    }
    let [metered_ms, unmetered_ms] = times.map(|times| median(times).unwrap_or_default());
    Ok(Metering {
        task: work.task().to_string(),
        metered_ms,
        unmetered_ms,
    })
}

fn picture() -> Image {
    let pixels = (0..SIDE * SIDE)
        .flat_map(|index| {
            let (x, y) = (index % SIDE, index / SIDE);
            [x, y, (x + y) / 2].map(|value| value as u8)
        })
        .collect();
    Image::Rgb8 {
        width: SIDE,
        height: SIDE,
        pixels,
    }
}
