//! The inputs of a request: one text or several.

use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;

/// The code of an error that text-embeddings-inference calls `Empty`.
pub(crate) const EMPTY: &str = "input.empty";

/// A text or a list of texts. Token ids are refused: they would be those of another model's tokenizer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = TeiInputs)]
pub(crate) enum Inputs {
    One(String),
    Many(Vec<String>),
    #[schema(value_type = Object)]
    Other(serde::de::IgnoredAny),
}

impl Inputs {
    /// Returns the texts: at least one, and at most `most`.
    pub(crate) fn texts(self, most: usize) -> Result<Vec<String>, ApiError> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
            Self::Other(_) => {
                return Err(ApiError::invalid(
                    "inputs",
                    "`inputs`: a text or a list of texts is expected; token ids are refused, as another model's would \
                     be taken for this one's",
                ));
            }
        };
        if texts.is_empty() {
            return Err(ApiError {
                code: EMPTY.into(),
                ..ApiError::invalid("inputs", "`inputs`: at least one text is expected")
            });
        }
        if texts.len() > most {
            let message = format!(
                "`inputs`: batch size {} is larger than {most}, the most here; send the texts in several requests",
                texts.len()
            );
            return Err(too_much(ApiError::invalid("inputs", message)));
        }
        Ok(texts)
    }
}

/// Gives an error the status with which text-embeddings-inference refuses inputs that are too many or too long.
pub(crate) fn too_much(error: ApiError) -> ApiError {
    ApiError {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        ..error
    }
}
