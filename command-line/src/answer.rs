//! A command's answer.

use serde_json::Value;

/// An answer, for people and for programs.
#[derive(Clone, Debug)]
pub struct Answer {
    /// For people: lines, without the last line's end.
    pub text: String,
    /// For programs: one document.
    pub json: Value,
}
