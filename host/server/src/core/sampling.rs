//! Fields that choose the next token and end an answer: one way from every family's request to the model's.

use ampoule::sandbox::limits::MAX_STOP_STRINGS;
use ampoule::{GenerationRequest, Message, Sampling};

use crate::error::ApiError;
use crate::said::{Said, said};

/// Bytes of all stop strings of a request together. Each answer of a request has a copy of them.
const MAX_STOP_BYTES: usize = 64 << 10;

/// Fields of a request for text. `None` takes the default: the likeliest token each time, so that an answer is
/// repeatable.
#[derive(Clone, Debug, Default)]
pub(crate) struct SamplingFields {
    pub(crate) temperature: Option<f32>,
    pub(crate) top_p: Option<f32>,
    /// Keeps this many of the likeliest tokens; 0 keeps all.
    pub(crate) top_k: Option<u32>,
    pub(crate) seed: Option<u64>,
    pub(crate) stop: Vec<String>,
    pub(crate) max_output_tokens: Option<u32>,
}

/// Names of a family's fields, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldNames {
    pub(crate) temperature: &'static str,
    pub(crate) top_p: &'static str,
    pub(crate) stop: &'static str,
}

impl FieldNames {
    /// The fields at the top of a request.
    pub(crate) const PLAIN: Self = Self {
        temperature: "temperature",
        top_p: "top_p",
        stop: "stop",
    };
}

impl SamplingFields {
    /// Makes the request that continues these messages.
    ///
    /// # Errors
    ///
    /// `input.invalid` for a value out of bounds, with the name of its field.
    pub(crate) fn request(
        mut self,
        names: FieldNames,
        messages: Vec<Message>,
    ) -> Result<GenerationRequest, ApiError> {
        let invalid = |name: &'static str, expected: Said| {
            Err(ApiError::invalid(
                name,
                said!("`{}`: {} expected", name, expected),
            ))
        };
        let default = Sampling::GREEDY;
        let sampling = Sampling {
            temperature: self.temperature.unwrap_or(default.temperature),
            top_p: self.top_p.unwrap_or(default.top_p),
            top_k: self.top_k.unwrap_or(default.top_k),
            seed: self.seed,
        };
        if !(sampling.temperature.is_finite() && sampling.temperature >= 0.0) {
            return invalid(names.temperature, "a number of at least 0 is".into());
        }
        if !(0.0..=1.0).contains(&sampling.top_p) {
            return invalid(names.top_p, "a number from 0 to 1 is".into());
        }
        if self.stop.len() > MAX_STOP_STRINGS {
            return invalid(names.stop, said!("{} texts at most are", MAX_STOP_STRINGS));
        }
        let bytes = self.stop.iter().map(String::len);
        let bytes = bytes.fold(0, usize::saturating_add);
        if bytes > MAX_STOP_BYTES {
            let name = names.stop;
            let message = said!(
                "`{}`: {} bytes found in all, {} allowed; an answer that should end sooner ends at a shorter text",
                name,
                bytes,
                MAX_STOP_BYTES
            );
            return Err(ApiError::too_large(name, message));
        }
        // Every text holds an empty one, so it would end each answer before it begins.
        self.stop.retain(|text| !text.is_empty());
        Ok(GenerationRequest {
            messages,
            sampling,
            stop: self.stop,
            max_output_tokens: self
                .max_output_tokens
                .unwrap_or(GenerationRequest::DEFAULT_OUTPUT_TOKENS),
            ..GenerationRequest::default()
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_bounds_are_refused_by_the_familys_names_and_empty_stop_strings_dropped() {
        let names = FieldNames {
            temperature: "a.temperature",
            top_p: "a.top_p",
            stop: "a.stop",
        };
        let fields = SamplingFields {
            stop: vec![String::new(), "x".to_owned()],
            ..SamplingFields::default()
        };
        for (changed, param) in [
            (
                SamplingFields {
                    temperature: Some(f32::INFINITY),
                    ..fields.clone()
                },
                "a.temperature",
            ),
            (
                SamplingFields {
                    top_p: Some(1.1),
                    ..fields.clone()
                },
                "a.top_p",
            ),
            (
                SamplingFields {
                    stop: vec![String::new(); MAX_STOP_STRINGS + 1],
                    ..fields.clone()
                },
                "a.stop",
            ),
            (
                SamplingFields {
                    stop: vec![
                        "s".repeat(MAX_STOP_BYTES / 2),
                        "s".repeat(MAX_STOP_BYTES / 2 + 1),
                    ],
                    ..fields.clone()
                },
                "a.stop",
            ),
        ] {
            let error = changed.request(names, Vec::new()).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param));
            assert!(error.message.contains(param), "{}", error.message);
        }
        let request = fields.request(names, Vec::new()).unwrap();
        assert_eq!(request.stop, ["x"]);
        assert_eq!(request.sampling, Sampling::GREEDY);
    }
}
