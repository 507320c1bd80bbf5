//! The options of a generation.

use ampoule::{GenerationRequest, Sampling};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::ollama::unsupported::refuse_unless;

/// Options of a generation. Those of loading and of the machine are ignored: models are loaded already. Those that would
/// change the choice of tokens, and that no model here knows, are refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = OllamaOptions)]
#[allow(dead_code, reason = "ignored fields stand in the schema")]
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
    stop: Option<Stop>,

    /// Only 0.
    min_p: Option<f64>,
    /// Only 1.
    typical_p: Option<f64>,
    /// Only 1.
    tfs_z: Option<f64>,
    /// Only 1.
    repeat_penalty: Option<f64>,
    /// Only 0.
    presence_penalty: Option<f64>,
    /// Only 0.
    frequency_penalty: Option<f64>,
    /// Only 0.
    mirostat: Option<f64>,

    /// Ignored: without `repeat_penalty` nothing looks back.
    repeat_last_n: Option<Value>,
    /// Ignored: without `mirostat`.
    mirostat_tau: Option<Value>,
    /// Ignored: without `mirostat`.
    mirostat_eta: Option<Value>,
    /// Ignored: without `repeat_penalty`.
    penalize_newline: Option<Value>,
    /// Ignored: the model has the context that it has, and a prompt that is too long is refused.
    num_ctx: Option<Value>,
    /// Ignored: nothing of a prompt is dropped.
    num_keep: Option<Value>,
    /// Ignored.
    num_batch: Option<Value>,
    /// Ignored.
    num_gpu: Option<Value>,
    /// Ignored.
    main_gpu: Option<Value>,
    /// Ignored.
    num_thread: Option<Value>,
    /// Ignored.
    numa: Option<Value>,
    /// Ignored.
    low_vram: Option<Value>,
    /// Ignored.
    f16_kv: Option<Value>,
    /// Ignored.
    logits_all: Option<Value>,
    /// Ignored.
    vocab_only: Option<Value>,
    /// Ignored.
    use_mmap: Option<Value>,
    /// Ignored.
    use_mlock: Option<Value>,
    /// Ignored.
    embedding_only: Option<Value>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a text or a list of texts is expected")]
#[schema(as = OllamaStop)]
enum Stop {
    One(String),
    Many(Vec<String>),
}

impl Options {
    /// Puts the options into a request.
    pub(crate) fn apply(self, request: &mut GenerationRequest) -> Result<(), ApiError> {
        self.refuse_unknown_sampling()?;
        if let Some(temperature) = self.temperature {
            if !(temperature.is_finite() && temperature >= 0.0) {
                let message = "`options.temperature`: a number of at least 0 is expected";
                return Err(ApiError::invalid("options.temperature", message));
            }
            request.sampling.temperature = temperature;
        }
        if let Some(top_p) = self.top_p {
            if !(0.0..=1.0).contains(&top_p) {
                let message = "`options.top_p`: a number from 0 to 1 is expected";
                return Err(ApiError::invalid("options.top_p", message));
            }
            request.sampling.top_p = top_p;
        }
        let all = Sampling::GREEDY.top_k;
        request.sampling.top_k = match self.top_k {
            Some(top_k) if top_k > 0 => u32::try_from(top_k).unwrap_or(u32::MAX),
            _ => all,
        };
        request.sampling.seed = self.seed.map(i64::cast_unsigned);
        request.max_output_tokens = match self.num_predict {
            Some(most) if most > 0 => u32::try_from(most).unwrap_or(u32::MAX),
            _ => u32::MAX,
        };
        request.stop = match self.stop {
            None => Vec::new(),
            Some(Stop::One(stop)) => vec![stop],
            Some(Stop::Many(stops)) => stops,
        };
        Ok(())
    }

    fn refuse_unknown_sampling(&self) -> Result<(), ApiError> {
        refuse_unless("options.min_p", self.min_p, 0.0)?;
        refuse_unless("options.typical_p", self.typical_p, 1.0)?;
        refuse_unless("options.tfs_z", self.tfs_z, 1.0)?;
        refuse_unless("options.repeat_penalty", self.repeat_penalty, 1.0)?;
        refuse_unless("options.presence_penalty", self.presence_penalty, 0.0)?;
        refuse_unless("options.frequency_penalty", self.frequency_penalty, 0.0)?;
        refuse_unless("options.mirostat", self.mirostat, 0.0)
    }
}
