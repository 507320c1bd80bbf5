//! Fields of OpenAI's requests for text that no model here acts on.
//!
//! Every route refuses all of them, also those that OpenAI has for another route only: other servers take most fields on
//! each.

use crate::families::unsupported::{Neutral, Unsupported, field};

const NO_TOOLS: &str = "the models here call no tools";
const NO_PROBABILITIES: &str = "the models here tell no probabilities";
const NO_BIAS: &str = "the models here choose among tokens by temperature, top_p and top_k alone";
const NO_SCHEMA: &str = "the models here write plain text and keep to no schema";
const NO_END: &str =
    "an answer here ends where its model ends it, or at the limit or a stop string";
const TEXT_ONLY: &str = "the models here answer in text";
const NOTHING_STORED: &str = "nothing is stored here; send the whole conversation as `input`";

/// Fields of each request for text.
pub(crate) const TEXT: [Unsupported; 24] = [
    field("tools", Neutral::Empty, NO_TOOLS),
    field("tool_choice", Neutral::NoneOrAuto, NO_TOOLS),
    field("functions", Neutral::Empty, NO_TOOLS),
    field("function_call", Neutral::NoneOrAuto, NO_TOOLS),
    field("response_format", Neutral::TypeText, NO_SCHEMA),
    field("logprobs", Neutral::Empty, NO_PROBABILITIES),
    field("top_logprobs", Neutral::Absent, NO_PROBABILITIES),
    field("logit_bias", Neutral::Empty, NO_BIAS),
    field("presence_penalty", Neutral::Zero, NO_BIAS),
    field("frequency_penalty", Neutral::Zero, NO_BIAS),
    field("min_p", Neutral::Zero, NO_BIAS),
    field("repetition_penalty", Neutral::One, NO_BIAS),
    field("min_tokens", Neutral::Zero, NO_END),
    field("ignore_eos", Neutral::Empty, NO_END),
    field("guided_json", Neutral::Absent, NO_SCHEMA),
    field("guided_regex", Neutral::Absent, NO_SCHEMA),
    field("guided_choice", Neutral::Absent, NO_SCHEMA),
    field("guided_grammar", Neutral::Absent, NO_SCHEMA),
    field("structured_outputs", Neutral::Absent, NO_SCHEMA),
    field("modalities", Neutral::ListOf("text"), TEXT_ONLY),
    field("audio", Neutral::Absent, TEXT_ONLY),
    field(
        "web_search_options",
        Neutral::Absent,
        "the models here reach no network",
    ),
    field(
        "suffix",
        Neutral::Empty,
        "the models here write on and do not fill in",
    ),
    field(
        "echo",
        Neutral::Empty,
        "an answer here does not repeat its prompt",
    ),
];

/// Fields of a response, beside [`TEXT`] and before it.
pub(crate) const RESPONSE: [Unsupported; 7] = [
    field("previous_response_id", Neutral::Absent, NOTHING_STORED),
    field("conversation", Neutral::Absent, NOTHING_STORED),
    field("prompt", Neutral::Absent, "no prompts are stored here"),
    field(
        "background",
        Neutral::Empty,
        "nothing is stored here, so a response is sent while its caller waits",
    ),
    // Clients of models that reason ask for this with each request. Here nothing is reasoned that a response could lack.
    field(
        "include",
        Neutral::ListOf("reasoning.encrypted_content"),
        "a response holds its text and nothing further",
    ),
    // Here 0 asks for none; in a conversation it asks for that of the token itself.
    field("top_logprobs", Neutral::Zero, NO_PROBABILITIES),
    field("moderation", Neutral::Absent, "nothing is moderated here"),
];

/// Fields of a response's `text`.
pub(crate) const RESPONSE_TEXT: [Unsupported; 1] = [field("format", Neutral::TypeText, NO_SCHEMA)];

/// Fields of a message in a conversation.
pub(crate) const MESSAGE: [Unsupported; 3] = [
    field("tool_calls", Neutral::Empty, NO_TOOLS),
    field("function_call", Neutral::Absent, NO_TOOLS),
    field(
        "audio",
        Neutral::Absent,
        "the models here read texts and pictures",
    ),
];
