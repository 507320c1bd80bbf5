//! Messages of a conversation.

use ampoule::{Content, Limits};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::core::picture;
use crate::error::ApiError;
use crate::families::openai::text_or::TextOr;
use crate::families::openai::unsupported::{self, Neutral};

/// One turn of a conversation. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiChatMessage)]
pub(crate) struct Message {
    /// `system`, `developer`, `user` or `assistant`; `developer` is put to the model as `system`.
    role: String,
    /// A text, or texts and pictures in reading order. An assistant's may be missing.
    content: Option<TextOr<Vec<Part>>>,
    #[schema(ignore)]
    tool_calls: Option<Value>,
    #[schema(ignore)]
    function_call: Option<Value>,
    #[schema(ignore)]
    audio: Option<Value>,
}

/// A text or a picture.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiChatPart)]
pub(crate) struct Part {
    /// `text`, `image_url` or `refusal`.
    #[schema(required)]
    r#type: Option<String>,
    text: Option<String>,
    image_url: Option<TextOr<ImageUrl>>,
    /// An assistant's words for not answering.
    refusal: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiChatImageUrl)]
pub(crate) struct ImageUrl {
    /// A `data:` address. Nothing is fetched from elsewhere.
    url: String,
}

/// Reads a conversation.
pub(crate) fn read_all(
    messages: Vec<Message>,
    limits: &Limits,
) -> Result<Vec<ampoule::Message>, ApiError> {
    if messages.is_empty() {
        return Err(ApiError::invalid(
            "messages",
            "`messages`: at least one message is expected, and the list is empty",
        ));
    }
    let messages = messages.into_iter().enumerate();
    messages
        .map(|(index, message)| message.read(&format!("messages[{index}]"), limits))
        .collect()
}

impl Message {
    fn read(self, at: &str, limits: &Limits) -> Result<ampoule::Message, ApiError> {
        let within = |error: ApiError| {
            let param = format!("{at}.{}", error.param.as_deref().unwrap_or_default());
            error.at(param)
        };
        let no_tools = "the models here call no tools";
        unsupported::check(&[
            ("tool_calls", &self.tool_calls, Neutral::Empty, no_tools),
            (
                "function_call",
                &self.function_call,
                Neutral::Absent,
                no_tools,
            ),
            (
                "audio",
                &self.audio,
                Neutral::Absent,
                "the models here read texts and pictures",
            ),
        ])
        .map_err(within)?;
        let role = match self.role.as_str() {
            "developer" => "system".to_owned(),
            _ => self.role,
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
            None => {
                let param = format!("{at}.content");
                let message = format!("`{param}`: a text or a list of parts is expected");
                return Err(ApiError::invalid(param, message));
            }
        };
        Ok(ampoule::Message { role, content })
    }
}

impl Part {
    fn read(self, at: &str, limits: &Limits) -> Result<Content, ApiError> {
        let missing = |field: &str| {
            let param = format!("{at}.{field}");
            let message = format!("`{param}` is expected in a part of this type, and is missing");
            ApiError::invalid(param, message)
        };
        match self.r#type.as_deref() {
            Some("text") => {
                let text = self.text.ok_or_else(|| missing("text"))?;
                Ok(Content::Text(text))
            }
            Some("refusal") => {
                let text = self.refusal.ok_or_else(|| missing("refusal"))?;
                Ok(Content::Text(text))
            }
            Some("image_url") => {
                let image = self.image_url.ok_or_else(|| missing("image_url"))?;
                let (url, param) = match image {
                    TextOr::Text(url) => (url, format!("{at}.image_url")),
                    TextOr::Other(image) => (image.url, format!("{at}.image_url.url")),
                };
                picture::from_data_url(&url, &param, limits).map(Content::Image)
            }
            Some("input_audio" | "file") => {
                let message = format!("`{at}`: the models here read texts and pictures");
                Err(ApiError::unsupported(at.to_owned(), message))
            }
            _ => {
                let param = format!("{at}.type");
                let message = format!("`{param}`: text or image_url is expected");
                Err(ApiError::invalid(param, message))
            }
        }
    }
}
