//! The fields of OpenAI's requests for text that choose the next token and end an answer.

use ampoule::{GenerationRequest, Message};

use crate::core::sampling::{FieldNames, SamplingFields};
use crate::error::ApiError;
use crate::http::text_or::TextOr;
use crate::said::said;

/// Fields of a request for text, by their names in OpenAI's API.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) temperature: Option<f32>,
    pub(crate) top_p: Option<f32>,
    /// Not OpenAI's, and common beside its fields: 0 and -1 keep all tokens.
    pub(crate) top_k: Option<i64>,
    pub(crate) seed: Option<i64>,
    pub(crate) stop: Option<TextOr<Vec<String>>>,
    pub(crate) max_tokens: Option<u32>,
}

impl Fields {
    /// Makes the request that continues these messages.
    pub(crate) fn request(self, messages: Vec<Message>) -> Result<GenerationRequest, ApiError> {
        let fields = SamplingFields {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k.map(top_k).transpose()?,
            // Every bit counts, the sign too.
            seed: self.seed.map(i64::cast_unsigned),
            stop: self.stop.map(TextOr::into_texts).unwrap_or_default(),
            max_output_tokens: self.max_tokens,
        };
        fields.request(FieldNames::PLAIN, messages)
    }
}

fn top_k(given: i64) -> Result<u32, ApiError> {
    if given == -1 {
        return Ok(0);
    }
    u32::try_from(given).map_err(|_| {
        let message = "`top_k`: a number of tokens is expected, or 0 for all";
        ApiError::invalid("top_k", message)
    })
}

/// Returns the number of answers to each prompt. All of them together are at most `most`.
pub(crate) fn choices(n: Option<u32>, prompts: usize, most: usize) -> Result<usize, ApiError> {
    let n = n.map_or(1, |n| usize::try_from(n).unwrap_or(usize::MAX));
    if n == 0 {
        return Err(ApiError::invalid("n", "`n`: at least 1 answer is expected"));
    }
    let all = n.saturating_mul(prompts);
    if all > most {
        let message = said!(
            "`n`: {} answers found in all, {} allowed; ask for them in several requests",
            all,
            most
        );
        return Err(ApiError::invalid("n", message));
    }
    Ok(n)
}
