//! The options of a generation.

use ampoule::{GenerationRequest, Message};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::core::sampling::{FieldNames, SamplingFields};
use crate::error::ApiError;
use crate::families::ollama::unsupported::OPTIONS;
use crate::families::unsupported::Rest;
use crate::http::text_or::TextOr;

/// Names of the options in errors.
const NAMES: FieldNames = FieldNames {
    temperature: "options.temperature",
    top_p: "options.top_p",
    stop: "options.stop",
};

/// Options of a generation. Those of loading and of the machine are ignored: models are loaded already. Those that would
/// change the choice of tokens, and that no model here knows, are refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = OllamaOptions)]
pub(crate) struct Options {
    /// Divides the logits; 0, the default here, takes the likeliest token each time.
    #[schema(minimum = 0)]
    temperature: Option<f32>,
    /// Keeps the likeliest tokens whose probabilities add up to this.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
    /// Keeps this many of the likeliest tokens; 0 and less keep all.
    top_k: Option<i64>,
    /// Makes the answer repeatable.
    seed: Option<i64>,
    /// The most tokens to write; 0 and less, and the default, are as many as the model writes.
    num_predict: Option<i64>,
    /// The answer ends before the first of these.
    stop: Option<TextOr<Vec<String>>>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
}

impl Options {
    /// Makes the request that continues these messages.
    pub(crate) fn request(self, messages: Vec<Message>) -> Result<GenerationRequest, ApiError> {
        self.rest.check("options.", &OPTIONS)?;
        let most = |given: i64| u32::try_from(given).unwrap_or(u32::MAX);
        let fields = SamplingFields {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k.filter(|top_k| *top_k > 0).map(most),
            seed: self.seed.map(i64::cast_unsigned),
            stop: self.stop.map(TextOr::into_texts).unwrap_or_default(),
            max_output_tokens: Some(match self.num_predict {
                Some(given) if given > 0 => most(given),
                _ => u32::MAX,
            }),
        };
        fields.request(NAMES, messages)
    }
}
