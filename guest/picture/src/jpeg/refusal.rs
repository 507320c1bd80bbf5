//! Reasons for not decoding a file.

use std::fmt;

/// A reason, whose text says what was expected, what was found and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A kind of JPEG that few programs write.
    Kind(&'static str),
    /// A file that no encoder writes.
    Broken(&'static str),
    /// The data ends before the picture does.
    CutShort,
    /// A progressive file that ends as it should, with some coefficients left coarse.
    MissingScans,
    /// More scans than are decoded for a picture of this size.
    TooManyScans,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(found) => write!(
                f,
                "expected a baseline or progressive JPEG file of 8 bits, found {found}; convert it, to \
                 PNG for example"
            ),
            Self::Broken(found) => write!(
                f,
                "expected a valid JPEG file, found one with {found}; save the picture again"
            ),
            Self::CutShort => f.write_str(
                "expected a whole JPEG file, found one that ends before its picture does; fetch it \
                 again",
            ),
            Self::MissingScans => f.write_str(
                "expected a whole JPEG file, found a progressive one without all of its scans; fetch it \
                 again, or save the picture again",
            ),
            Self::TooManyScans => f.write_str(
                "expected a JPEG file of fewer scans for its size, found one that repeats them; save the \
                 picture again",
            ),
        }
    }
}
