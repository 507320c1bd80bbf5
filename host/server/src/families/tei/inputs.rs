//! The inputs of a request: one text or several.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::core::place::Place;
use crate::error::ApiError;
use crate::families::tei::error::EMPTY;
use crate::said::said;

/// The field that holds them.
const FIELD: &str = "inputs";

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
    /// Returns the texts, at least one and at most `most`, with their place.
    pub(crate) fn texts(self, most: usize) -> Result<(Vec<String>, Place<'static>), ApiError> {
        let texts = match self {
            Self::One(text) => return Ok((vec![text], Place::one(FIELD))),
            Self::Many(texts) => texts,
            Self::Other(_) => {
                return Err(ApiError::invalid(
                    FIELD,
                    "`inputs`: a text or a list of texts is expected; token ids are refused, as another model's would \
                     be taken for this one's",
                ));
            }
        };
        if texts.is_empty() {
            return Err(ApiError {
                code: EMPTY,
                ..ApiError::invalid(FIELD, "`inputs`: at least one text is expected")
            });
        }
        if texts.len() > most {
            let message = said!(
                "`inputs`: batch size {} is larger than {}, the most here; send the texts in several requests",
                texts.len(),
                most
            );
            return Err(ApiError::too_long(FIELD, message));
        }
        Ok((texts, Place::list(FIELD)))
    }
}

/// Refuses a prompt by its name.
pub(crate) fn refuse_prompt(name: Option<&str>) -> Result<(), ApiError> {
    if name.is_none() {
        return Ok(());
    }
    let message =
        "`prompt_name`: models here have no named prompts; put the prompt before each text";
    Err(ApiError::unsupported("prompt_name", message))
}
