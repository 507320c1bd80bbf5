//! A question and the options for its answer.

use ampoule::InputChecks as _;
use ampoule::{Content, GenerationRequest, Limits, Message, Sampling};
use clap::Args;

use std::path::PathBuf;

use crate::error::Error;
use crate::images;
use crate::model_option::ModelOption;

/// Default bound on tokens for each picture: longer than any answer of the models that run here about one picture.
const DEFAULT_TOKENS_PER_PICTURE: u32 = 256;

/// Arguments of `ask`.
#[derive(Debug, Args)]
pub(crate) struct PromptOptions {
    #[command(flatten)]
    pub(crate) model: ModelOption,

    #[command(flatten)]
    answer: AnswerOptions,

    /// Question.
    #[arg(value_name = "PROMPT")]
    prompt: String,
}

/// Pictures of a question, and the options for its answer.
#[derive(Debug, Args)]
pub(crate) struct AnswerOptions {
    /// Picture that the question is about: a PNG, JPEG or WebP file, or `-` for standard input; may be repeated.
    // The limit `--images` has the id that the field would give.
    #[arg(id = "image", long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,

    /// Divisor of the logits: 0 always takes the likeliest token, more is more varied.
    #[arg(
        long,
        value_name = "T",
        default_value_t = 0.0,
        allow_negative_numbers = true,
        help_heading = "Sampling"
    )]
    temperature: f32,

    /// Choose only among the likeliest tokens whose probabilities add up to this.
    #[arg(
        long,
        value_name = "P",
        default_value_t = 1.0,
        allow_negative_numbers = true,
        help_heading = "Sampling"
    )]
    top_p: f32,

    /// Choose only among this many of the likeliest tokens; 0 is all.
    #[arg(long, value_name = "K", default_value_t = 0, help_heading = "Sampling")]
    top_k: u32,

    /// Seed: with the same seed and the same everything else, the answer is the same.
    #[arg(long, value_name = "N", help_heading = "Sampling")]
    seed: Option<u64>,

    /// Most tokens of the answer, for all pictures together [default: 256 for each picture, and 256 without any].
    #[arg(long, value_name = "N", help_heading = "Sampling")]
    max_output_tokens: Option<u32>,

    /// End the answer before this text; may be repeated.
    #[arg(long, value_name = "TEXT", help_heading = "Sampling")]
    stop: Vec<String>,
}

impl PromptOptions {
    /// Makes the request, with the pictures read and checked, and returns the model's option.
    pub(crate) fn into_request(
        self,
        limits: &Limits,
    ) -> Result<(ModelOption, GenerationRequest), Error> {
        Ok((self.model, self.answer.into_request(self.prompt, limits)?))
    }
}

impl AnswerOptions {
    /// Makes the request for a question, with the pictures read and checked.
    pub(crate) fn into_request(
        self,
        question: String,
        limits: &Limits,
    ) -> Result<GenerationRequest, Error> {
        limits.check_text(&question)?;
        let images = images::read(&self.images, limits)?;
        let max_output_tokens = self
            .max_output_tokens
            .unwrap_or_else(|| default_max_output_tokens(images.len()));
        let content = images
            .into_iter()
            .map(Content::Image)
            .chain([Content::Text(question)]);
        Ok(GenerationRequest {
            messages: vec![Message {
                role: "user".to_owned(),
                content: content.collect(),
            }],
            sampling: Sampling {
                temperature: self.temperature,
                top_p: self.top_p,
                top_k: self.top_k,
                seed: self.seed,
            },
            max_output_tokens,
            stop: self.stop,
            options: Vec::new(),
        })
    }
}

/// Returns the default for all pictures: a model answers for each in turn.
fn default_max_output_tokens(pictures: usize) -> u32 {
    let pictures = u32::try_from(pictures.max(1)).unwrap_or(u32::MAX);
    DEFAULT_TOKENS_PER_PICTURE.saturating_mul(pictures)
}
