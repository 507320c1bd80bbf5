//! The fields that choose the next token and end an answer.

use ampoule::sandbox::limits::MAX_STOP_STRINGS;
use ampoule::{GenerationRequest, Message, Sampling};

use crate::error::ApiError;
use crate::families::openai::text_or::TextOr;

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
    /// Makes the request that continues these messages. Without a temperature the answer is greedy, and so repeatable.
    pub(crate) fn request(self, messages: Vec<Message>) -> Result<GenerationRequest, ApiError> {
        let default = Sampling::GREEDY;
        let sampling = Sampling {
            temperature: self.temperature.unwrap_or(default.temperature),
            top_p: self.top_p.unwrap_or(default.top_p),
            top_k: top_k(self.top_k)?,
            // Every bit counts, the sign too.
            seed: self.seed.map(i64::cast_unsigned),
        };
        if !(sampling.temperature.is_finite() && sampling.temperature >= 0.0) {
            let message = "`temperature`: a number of at least 0 is expected";
            return Err(ApiError::invalid("temperature", message));
        }
        if !(0.0..=1.0).contains(&sampling.top_p) {
            let message = "`top_p`: a number from 0 to 1 is expected";
            return Err(ApiError::invalid("top_p", message));
        }
        let too_many = |texts: &Vec<String>| texts.len() > MAX_STOP_STRINGS;
        if matches!(&self.stop, Some(TextOr::Other(texts)) if too_many(texts)) {
            let message = format!("`stop`: {MAX_STOP_STRINGS} texts at most are expected");
            return Err(ApiError::invalid("stop", message));
        }
        let mut stop = match self.stop {
            None => Vec::new(),
            Some(TextOr::Text(text)) => vec![text],
            Some(TextOr::Other(texts)) => texts,
        };
        // Every text holds an empty one, so it would end each answer before it begins.
        stop.retain(|text| !text.is_empty());
        Ok(GenerationRequest {
            messages,
            sampling,
            stop,
            max_output_tokens: self
                .max_tokens
                .unwrap_or(GenerationRequest::DEFAULT_OUTPUT_TOKENS),
            ..GenerationRequest::default()
        })
    }
}

fn top_k(asked: Option<i64>) -> Result<u32, ApiError> {
    match asked {
        None | Some(-1) => Ok(0),
        Some(asked) => u32::try_from(asked).map_err(|_| {
            ApiError::invalid(
                "top_k",
                "`top_k`: a number of tokens is expected, or 0 for all",
            )
        }),
    }
}

/// Returns the number of answers to each prompt. All of them together are at most `most`.
pub(crate) fn choices(n: Option<u32>, prompts: usize, most: usize) -> Result<usize, ApiError> {
    let n = n.map_or(1, |n| usize::try_from(n).unwrap_or(usize::MAX));
    if n == 0 {
        return Err(ApiError::invalid("n", "`n`: at least 1 answer is expected"));
    }
    let all = n.saturating_mul(prompts);
    if all > most {
        let message = format!(
            "`n`: {all} answers found in all, {most} allowed; ask for them in several requests"
        );
        return Err(ApiError::invalid("n", message));
    }
    Ok(n)
}
