//! The error of reading a value from text.

/// Says what the text of a digest, a size or a name was expected to be. The caller knows where the text stood, and
/// makes of this an error of the right family.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);
