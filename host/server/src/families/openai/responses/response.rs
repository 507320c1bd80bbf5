//! The response itself, as it is sent whole and in the events of a stream.

use std::collections::BTreeMap;

use ampoule::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::generation::End;
use crate::request::context::random_hex;

/// A response. Clients find its text by `object` and by the types of its output.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiResponse)]
pub(crate) struct ResponseObject {
    pub(crate) id: String,
    /// Always `response`.
    object: &'static str,
    /// Seconds since 1970.
    created_at: i64,
    status: Status,
    /// Always false.
    background: bool,
    /// Always null: a request that fails has an error in place of its response.
    #[schema(value_type = Option<Object>)]
    error: (),
    /// The reason for an incomplete response.
    incomplete_details: Option<IncompleteDetails>,
    instructions: Option<String>,
    max_output_tokens: Option<u32>,
    metadata: BTreeMap<String, String>,
    /// The model, as the caller named it.
    pub(crate) model: String,
    /// One message, once it has begun.
    output: Vec<OutputMessage>,
    parallel_tool_calls: bool,
    /// Always null: nothing is stored.
    #[schema(value_type = Option<String>)]
    previous_response_id: (),
    /// Always false.
    store: bool,
    temperature: f32,
    text: TextForm,
    /// Always `auto`.
    tool_choice: &'static str,
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    tools: [(); 0],
    top_p: f32,
    /// Always `disabled`.
    truncation: &'static str,
    /// Null before the end.
    usage: Option<TokenCounts>,
}

/// Parts of a request that its response repeats.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    pub(crate) model: String,
    pub(crate) instructions: Option<String>,
    pub(crate) max_output_tokens: Option<u32>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) temperature: f32,
    pub(crate) top_p: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OpenAiResponseStatus)]
pub(crate) enum Status {
    InProgress,
    Completed,
    /// Cut short: `incomplete_details` says by which limit.
    Incomplete,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiResponseIncompleteDetails)]
pub(crate) struct IncompleteDetails {
    /// `max_output_tokens` or `content_filter`.
    reason: &'static str,
}

/// A message of the model.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiResponseOutputMessage)]
pub(crate) struct OutputMessage {
    pub(crate) id: String,
    /// Always `message`.
    r#type: &'static str,
    /// Always `assistant`.
    role: &'static str,
    status: Status,
    /// One text, once it has begun.
    pub(crate) content: Vec<OutputText>,
}

/// A text of the model.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiResponseOutputText)]
pub(crate) struct OutputText {
    /// Always `output_text`.
    r#type: &'static str,
    pub(crate) text: String,
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    annotations: [(); 0],
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    logprobs: [(); 0],
}

/// The form of the text, which is always plain.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiResponseTextForm)]
pub(crate) struct TextForm {
    format: TextFormat,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiResponseTextFormat)]
pub(crate) struct TextFormat {
    /// Always `text`.
    r#type: &'static str,
}

/// Tokens of a request.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiResponseUsage)]
pub(crate) struct TokenCounts {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

/// Always zeros: nothing is kept from one request to the next.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[schema(as = OpenAiResponseInputDetails)]
pub(crate) struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[schema(as = OpenAiResponseOutputDetails)]
pub(crate) struct OutputDetails {
    /// Always 0.
    reasoning_tokens: u64,
}

impl ResponseObject {
    /// Makes a response that has not begun.
    pub(crate) fn new(echo: Echo) -> Self {
        Self {
            id: format!("resp_{}", random_hex(16)),
            object: "response",
            created_at: Timestamp::now().as_second(),
            status: Status::InProgress,
            background: false,
            error: (),
            incomplete_details: None,
            instructions: echo.instructions,
            max_output_tokens: echo.max_output_tokens,
            metadata: echo.metadata,
            model: echo.model,
            output: Vec::new(),
            parallel_tool_calls: false,
            previous_response_id: (),
            store: false,
            temperature: echo.temperature,
            text: TextForm {
                format: TextFormat { r#type: "text" },
            },
            tool_choice: "auto",
            tools: [],
            top_p: echo.top_p,
            truncation: "disabled",
            usage: None,
        }
    }

    /// Begins its message, and returns a copy of it.
    pub(crate) fn begin_message(&mut self) -> OutputMessage {
        let message = OutputMessage {
            id: format!("msg_{}", random_hex(16)),
            r#type: "message",
            role: "assistant",
            status: Status::InProgress,
            content: Vec::new(),
        };
        self.output = vec![message.clone()];
        message
    }

    /// Ends it with this text.
    pub(crate) fn end(&mut self, text: String, end: &End) {
        let reason = match end.reason.as_str() {
            "length" => Some("max_output_tokens"),
            "content-filter" => Some("content_filter"),
            _ => None,
        };
        self.incomplete_details = reason.map(|reason| IncompleteDetails { reason });
        self.status = match reason {
            Some(_) => Status::Incomplete,
            None => Status::Completed,
        };
        for message in &mut self.output {
            message.status = self.status;
            message.content = vec![OutputText::new(text.clone())];
        }
        let input_tokens = u64::from(end.usage.input_tokens);
        let output_tokens = u64::from(end.usage.output_tokens);
        self.usage = Some(TokenCounts {
            input_tokens,
            input_tokens_details: InputDetails::default(),
            output_tokens,
            output_tokens_details: OutputDetails::default(),
            total_tokens: input_tokens + output_tokens,
        });
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Returns its message, once it has begun.
    pub(crate) fn message(&self) -> Option<&OutputMessage> {
        self.output.first()
    }
}

impl OutputText {
    pub(crate) fn new(text: String) -> Self {
        Self {
            r#type: "output_text",
            text,
            annotations: [],
            logprobs: [],
        }
    }
}
