//! Faults of a log: signs that it is not as its writer left it.

use std::fmt;

/// Kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// A frame is no frame, or its hash is not that of its bytes and of the frames before.
    Altered,
    /// A frame's signature is not by its segment's key.
    Signature,
    /// A frame's number or its first row's number does not follow from the frame before.
    Order,
    /// A frame ends too early, and frames are known to have followed.
    Cut,
    /// A segment is missing, also the first one, or a frame follows the last one of a segment.
    Missing,
    /// A segment belongs to another log.
    Foreign,
    /// A segment's key is not the one that was named before.
    Key,
    /// The log lacks frames that are known from elsewhere, or has others in their place.
    RolledBack,
    /// A batch that was opened does not hold the rows that its frame announces.
    Rows,
}

impl FaultKind {
    /// Returns the stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Altered => "audit.altered",
            Self::Signature => "audit.signature",
            Self::Order => "audit.order",
            Self::Cut => "audit.cut",
            Self::Missing => "audit.missing",
            Self::Foreign => "audit.foreign",
            Self::Key => "audit.key",
            Self::RolledBack => "audit.rolled-back",
            Self::Rows => "audit.rows",
        }
    }
}

/// A fault, and the place where it was found. What stands before the place is as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Kind of the fault.
    pub kind: FaultKind,
    /// Number of the segment, from 1.
    pub segment: u64,
    /// Number that the frame has or should have, from 0.
    pub seq: u64,
    /// Description of what was expected and found.
    pub found: &'static str,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, segment: u64, seq: u64, found: &'static str) -> Self {
        Self {
            kind,
            segment,
            seq,
            found,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (segment {}, frame {})",
            self.found, self.segment, self.seq
        )
    }
}

impl std::error::Error for Fault {}
