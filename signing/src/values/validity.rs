//! Time spans of trust.

use std::fmt;

use jiff::Timestamp;

/// A time span of trust, both ends included. It is compared with the time at which a bundle is verified: nobody can
/// prove when a signature was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Option<Timestamp>,
    /// The last moment.
    pub not_after: Option<Timestamp>,
}

impl Validity {
    /// Returns true for a time within the span.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|first| first <= now)
            && self.not_after.is_none_or(|last| now <= last)
    }
}

impl Validity {
    /// Returns the span with the ends that `other` has in place of its own.
    #[must_use]
    pub fn overlaid(self, other: Self) -> Self {
        Self {
            not_before: other.not_before.or(self.not_before),
            not_after: other.not_after.or(self.not_after),
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.not_before, self.not_after) {
            (None, None) => f.write_str("at any time"),
            (Some(first), None) => write!(f, "from {first} on"),
            (None, Some(last)) => write!(f, "until {last}"),
            (Some(first), Some(last)) => write!(f, "from {first} until {last}"),
        }
    }
}

/// Returns the earliest of the ends that are given.
pub(crate) fn earliest(ends: impl IntoIterator<Item = Option<Timestamp>>) -> Option<Timestamp> {
    ends.into_iter().flatten().min()
}
