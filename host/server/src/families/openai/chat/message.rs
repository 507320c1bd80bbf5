//! Messages of a conversation.

use ampoule::Limits;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::parts::{self, Part};
use crate::families::openai::unsupported::MESSAGE;
use crate::families::unsupported::Rest;
use crate::http::text_or::TextOr;
use crate::said::said;

/// One turn of a conversation. Fields that are not named here are ignored, or refused where the model would miss them.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiChatMessage)]
pub(crate) struct Message {
    /// `system`, `developer`, `user` or `assistant`; `developer` is put to the model as `system`.
    role: String,
    /// A text, or texts and pictures in reading order. An assistant's may be missing.
    content: Option<TextOr<Vec<Part>>>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
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
    let read = |(index, message): (usize, Message)| {
        let at = said!("messages[{}]", index);
        message.rest.check(said!("{}.", at), &MESSAGE)?;
        parts::message(message.role, message.content, &at, limits)
    };
    messages.into_iter().enumerate().map(read).collect()
}
