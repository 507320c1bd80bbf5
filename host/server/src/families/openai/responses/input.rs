//! The input of a response: messages, with texts and pictures.

use ampoule::{Limits, Message};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::parts::{self, Part, missing, text_message};
use crate::http::text_or::TextOr;
use crate::said::{Said, said};

/// One turn of a conversation. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiResponseInputItem)]
pub(crate) struct Item {
    /// `message`, which is the default. Items of the type `reasoning` are passed over; those of tools are refused.
    r#type: Option<String>,
    /// `system`, `developer`, `user` or `assistant`; `developer` is put to the model as `system`.
    role: Option<String>,
    /// A text, or texts and pictures in reading order. An assistant's may be missing.
    content: Option<TextOr<Vec<Part>>>,
}

/// Reads a whole input, after the instructions.
pub(crate) fn read(
    instructions: Option<&str>,
    input: Option<TextOr<Vec<Item>>>,
    limits: &Limits,
) -> Result<Vec<Message>, ApiError> {
    let instructions = instructions.map(|text| text_message("system", text.to_owned()));
    let mut messages: Vec<_> = instructions.into_iter().collect();
    let before = messages.len();
    match input {
        None => {}
        Some(TextOr::Text(text)) => messages.push(text_message("user", text)),
        Some(TextOr::Other(items)) => {
            for (index, item) in items.into_iter().enumerate() {
                messages.extend(item.read(&said!("input[{}]", index), limits)?);
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
    fn read(self, at: &Said, limits: &Limits) -> Result<Option<Message>, ApiError> {
        match self.r#type.as_deref() {
            None | Some("message") => {}
            Some("reasoning") => return Ok(None),
            Some("item_reference") => {
                let message = said!("`{}`: nothing is stored here; send the item itself", at);
                return Err(ApiError::unsupported(at.clone(), message));
            }
            Some(_) => {
                let param = said!("{}.type", at);
                let message = said!(
                    "`{}`: message is expected; the models here call no tools",
                    param
                );
                return Err(ApiError::unsupported(param, message));
            }
        }
        let role = self.role.ok_or_else(|| missing(at, "role", "a role"))?;
        parts::message(role, self.content, at, limits).map(Some)
    }
}
