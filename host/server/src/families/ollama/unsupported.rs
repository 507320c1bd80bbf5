//! Fields of Ollama's requests for text that no model here acts on.

use crate::families::unsupported::{Neutral, Unsupported, field};

const NO_TOOLS: &str = "no model here calls tools";
const NO_PROBABILITIES: &str = "no model here tells probabilities";
const OWN_TEMPLATE: &str = "a model has its own template, and each prompt goes through it";
const NO_BIAS: &str = "models here sample by temperature, top_p and top_k alone";

/// Fields of both routes.
pub(crate) const TEXT: [Unsupported; 4] = [
    field(
        "format",
        Neutral::Empty,
        "no model here writes by a grammar",
    ),
    field("think", Neutral::Empty, "no model here thinks aloud"),
    field("logprobs", Neutral::Empty, NO_PROBABILITIES),
    field("top_logprobs", Neutral::Zero, NO_PROBABILITIES),
];

/// Fields of `/api/chat` alone.
pub(crate) const CHAT: [Unsupported; 1] = [field("tools", Neutral::Empty, NO_TOOLS)];

/// Fields of `/api/generate` alone.
pub(crate) const GENERATE: [Unsupported; 4] = [
    field("suffix", Neutral::Empty, "no model here fills gaps"),
    field("template", Neutral::Empty, OWN_TEMPLATE),
    field("raw", Neutral::Empty, OWN_TEMPLATE),
    field(
        "context",
        Neutral::Empty,
        "a conversation goes to /api/chat, turn by turn",
    ),
];

/// Fields of a message in a conversation.
pub(crate) const MESSAGE: [Unsupported; 2] = [
    field("tool_calls", Neutral::Empty, NO_TOOLS),
    field("tool_name", Neutral::Empty, NO_TOOLS),
];

/// Options of sampling.
pub(crate) const OPTIONS: [Unsupported; 7] = [
    field("min_p", Neutral::Zero, NO_BIAS),
    field("typical_p", Neutral::One, NO_BIAS),
    field("tfs_z", Neutral::One, NO_BIAS),
    field("repeat_penalty", Neutral::One, NO_BIAS),
    field("presence_penalty", Neutral::Zero, NO_BIAS),
    field("frequency_penalty", Neutral::Zero, NO_BIAS),
    field("mirostat", Neutral::Zero, NO_BIAS),
];
