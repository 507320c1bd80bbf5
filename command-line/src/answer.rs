//! What a command has to say, for people and for programs.

use serde_json::Value;

/// An answer in both forms.
#[derive(Clone, Debug)]
pub struct Answer {
    /// For people: lines, without the last line's end.
    pub text: String,
    /// For programs: one document.
    pub json: Value,
}
