//! The source of a limit that ended a request.

use std::fmt;

/// A limit that ended a request, and whose it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lowered {
    /// The option of this name asked for no more.
    ByOption(&'static str),
    /// The manifest asks for no more.
    ByManifest,
}

impl fmt::Display for Lowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByOption(option) => {
                write!(f, "--{option} allowed this call no more: give it more")
            }
            Self::ByManifest => f.write_str("its signed manifest asks for no more"),
        }
    }
}
