//! The input of a response: messages, with texts and pictures.

use ampoule::{Content, Limits, Message};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::core::picture;
use crate::error::ApiError;
use crate::families::openai::text_or::TextOr;

/// One turn of a conversation. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiResponseInputItem)]
pub(crate) struct Item {
    /// `message`, which is the default. Items of the type `reasoning` are passed over; those of tools are refused.
    r#type: Option<String>,
    /// `system`, `developer`, `user` or `assistant`; `developer` is put to the model as `system`.
    role: Option<String>,
    /// A text, or texts and pictures in reading order.
    content: Option<TextOr<Vec<Part>>>,
}

/// A text or a picture.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiResponseInputPart)]
pub(crate) struct Part {
    /// `input_text`, `input_image`, `output_text` or `refusal`.
    r#type: String,
    text: Option<String>,
    image_url: Option<TextOr<ImageUrl>>,
    /// An assistant's words for not answering.
    refusal: Option<String>,
}

/// A picture's address in an object, as chat completions have it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiResponseImageUrl)]
pub(crate) struct ImageUrl {
    /// A `data:` address. Nothing is fetched from elsewhere.
    url: String,
}

/// Reads a whole input, after the instructions.
pub(crate) fn read(
    instructions: Option<&str>,
    input: Option<TextOr<Vec<Item>>>,
    limits: &Limits,
) -> Result<Vec<Message>, ApiError> {
    let said = |role: &str, text: &str| Message {
        role: role.to_owned(),
        content: vec![Content::Text(text.to_owned())],
    };
    let mut messages: Vec<_> = instructions
        .map(|text| said("system", text))
        .into_iter()
        .collect();
    let before = messages.len();
    match input {
        None => {}
        Some(TextOr::Text(text)) => messages.push(said("user", &text)),
        Some(TextOr::Other(items)) => {
            for (index, item) in items.into_iter().enumerate() {
                messages.extend(item.read(&format!("input[{index}]"), limits)?);
            }
        }
    }
    if messages.len() == before {
        let message = "`input`: a text or a list of at least one message is expected";
        return Err(ApiError::invalid("input", message));
    }
    Ok(messages)
}

impl Item {
    /// Reads a turn; none for an item that no model here reads and none misses.
    fn read(self, at: &str, limits: &Limits) -> Result<Option<Message>, ApiError> {
        match self.r#type.as_deref() {
            None | Some("message") => {}
            Some("reasoning") => return Ok(None),
            Some("item_reference") => {
                let message = format!("`{at}`: nothing is stored here; send the item itself");
                return Err(ApiError::unsupported(at.to_owned(), message));
            }
            Some(_) => {
                let param = format!("{at}.type");
                let message =
                    format!("`{param}`: message is expected; the models here call no tools");
                return Err(ApiError::unsupported(param, message));
            }
        }
        let role = self.role.ok_or_else(|| missing(at, "role", "message"))?;
        let role = match role.as_str() {
            "developer" => "system".to_owned(),
            _ => role,
        };
        let content = match self.content {
            Some(TextOr::Text(text)) => vec![Content::Text(text)],
            Some(TextOr::Other(parts)) => {
                let parts = parts.into_iter().enumerate();
                parts
                    .map(|(index, part)| part.read(&format!("{at}.content[{index}]"), limits))
                    .collect::<Result<_, _>>()?
            }
            None if role == "assistant" => Vec::new(),
            None => return Err(missing(at, "content", "message")),
        };
        Ok(Some(Message { role, content }))
    }
}

impl Part {
    fn read(self, at: &str, limits: &Limits) -> Result<Content, ApiError> {
        let kind = self.r#type.as_str();
        match kind {
            "input_text" | "output_text" | "text" => {
                let text = self.text.ok_or_else(|| missing(at, "text", kind))?;
                Ok(Content::Text(text))
            }
            "refusal" => {
                let text = self.refusal.ok_or_else(|| missing(at, "refusal", kind))?;
                Ok(Content::Text(text))
            }
            "input_image" => {
                let image = self
                    .image_url
                    .ok_or_else(|| missing(at, "image_url", kind))?;
                let (url, param) = match image {
                    TextOr::Text(url) => (url, format!("{at}.image_url")),
                    TextOr::Other(image) => (image.url, format!("{at}.image_url.url")),
                };
                picture::from_data_url(&url, &param, limits).map(Content::Image)
            }
            "input_audio" | "input_file" => {
                let message = format!("`{at}`: the models here read texts and pictures");
                Err(ApiError::unsupported(at.to_owned(), message))
            }
            _ => {
                let param = format!("{at}.type");
                let message =
                    format!("`{param}`: input_text, input_image or output_text is expected");
                Err(ApiError::invalid(param, message))
            }
        }
    }
}

fn missing(at: &str, field: &str, kind: &str) -> ApiError {
    let param = format!("{at}.{field}");
    let message = format!("`{param}` is expected in what has the type {kind}, and is missing");
    ApiError::invalid(param, ampoule::harmless_text(&message).replace('\n', " "))
}
