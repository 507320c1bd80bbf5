//! Messages of texts and pictures, as conversations and responses have them.
//!
//! OpenAI has other names for the types of parts on each route. Both are read on both: a history that was made for one
//! route is put to the other.

use ampoule::{Content, Limits, Message};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::core::picture;
use crate::error::ApiError;
use crate::http::text_or::TextOr;
use crate::said::{Said, said};

/// A text or a picture. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiPart)]
pub(crate) struct Part {
    /// `text`, `image_url` or `refusal`; `input_text`, `output_text` or `input_image`.
    #[schema(required)]
    r#type: Option<String>,
    text: Option<String>,
    /// The picture of a part of the type `image_url` or `input_image`.
    image_url: Option<TextOr<ImageUrl>>,
    /// An assistant's words for not answering.
    refusal: Option<String>,
}

/// A picture's address in an object.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiImageUrl)]
pub(crate) struct ImageUrl {
    /// A `data:` address. Nothing is fetched from elsewhere.
    url: String,
}

/// Makes a message of a text.
pub(crate) fn text_message(role: &str, text: String) -> Message {
    Message {
        role: role.to_owned(),
        content: vec![Content::Text(text)],
    }
}

/// Reads a message. `at` is its path in the request. An assistant's content may be missing.
pub(crate) fn message(
    role: String,
    content: Option<TextOr<Vec<Part>>>,
    at: &Said,
    limits: &Limits,
) -> Result<Message, ApiError> {
    let content = match content {
        Some(TextOr::Text(text)) => vec![Content::Text(text)],
        Some(TextOr::Other(parts)) => {
            let parts = parts.into_iter().enumerate();
            parts
                .map(|(index, part)| part.read(&said!("{}.content[{}]", at, index), limits))
                .collect::<Result<_, _>>()?
        }
        None if role == "assistant" => Vec::new(),
        None => return Err(missing(at, "content", "a text or a list of parts")),
    };
    let role = match role.as_str() {
        "developer" => "system".to_owned(),
        _ => role,
    };
    Ok(Message { role, content })
}

/// Makes the error of a message or a part without this field.
pub(crate) fn missing(at: &Said, field: &'static str, expected: &'static str) -> ApiError {
    let param = said!("{}.{}", at, field);
    let message = said!("`{}` is missing: {} is expected", param, expected);
    ApiError::invalid(param, message)
}

impl Part {
    fn read(self, at: &Said, limits: &Limits) -> Result<Content, ApiError> {
        match self.r#type.as_deref() {
            Some("text" | "input_text" | "output_text") => {
                let text = self.text.ok_or_else(|| missing(at, "text", "a text"))?;
                Ok(Content::Text(text))
            }
            Some("refusal") => {
                let text = self
                    .refusal
                    .ok_or_else(|| missing(at, "refusal", "a text"))?;
                Ok(Content::Text(text))
            }
            Some("image_url" | "input_image") => {
                let image = self
                    .image_url
                    .ok_or_else(|| missing(at, "image_url", "a `data:` address"))?;
                let (url, param) = match image {
                    TextOr::Text(url) => (url, said!("{}.image_url", at)),
                    TextOr::Other(image) => (image.url, said!("{}.image_url.url", at)),
                };
                picture::from_data_url(&url, &param, limits).map(Content::Image)
            }
            Some("input_audio" | "file" | "input_file") => {
                let message = said!("`{}`: the models here read texts and pictures", at);
                Err(ApiError::unsupported(at.clone(), message))
            }
            _ => {
                let param = said!("{}.type", at);
                let message = said!(
                    "`{}`: text or image_url is expected, or input_text, input_image or output_text",
                    param
                );
                Err(ApiError::invalid(param, message))
            }
        }
    }
}
