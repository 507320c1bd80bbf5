//! An answer and what it cost.

use ampoule_sandbox::imports::bindings::ampoule::model::types;

use crate::sandbox::request_sandbox::SandboxReport;

/// The answer of a model, with the cost of the sandbox that it ran in.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Answer<T> {
    /// The answer.
    pub output: T,
    /// The cost.
    pub sandbox: SandboxReport,
}

/// The cost of a request in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Usage {
    /// Tokens that the model read, special tokens included, after truncation.
    pub input_tokens: u32,
    /// Tokens that the model wrote.
    pub output_tokens: u32,
}

impl From<types::Usage> for Usage {
    fn from(usage: types::Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
        }
    }
}
