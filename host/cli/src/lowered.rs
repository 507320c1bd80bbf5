//! The source of a limit that ended a request.

use std::fmt;

/// The source of a limit that ended a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lowered {
    /// The option of this name.
    ByOption(&'static str),
    /// The model's manifest.
    ByManifest,
}

impl fmt::Display for Lowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByOption(option) => {
                write!(f, "--{option} is the limit of this call: raise it")
            }
            Self::ByManifest => f.write_str("the limit is that of the model's signed manifest"),
        }
    }
}
