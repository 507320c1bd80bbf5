//! Bundles on disk, for models that replace each other.

use super::models::good_bundle;
use crate::bundle::{Publisher, WrittenBundle};
use crate::guests::{test_guest, wat_guest};

/// Bundles of a kind, each a model of its own.
const VARIANTS: u8 = 8;

/// Bundles that are loaded while requests come in. They are written beforehand: all callers would wait for the
/// disk.
pub(super) struct Bundles {
    pub(super) good: Vec<WrittenBundle>,
    pub(super) others: Vec<WrittenBundle>,
    /// Not admitted.
    pub(super) refused: WrittenBundle,
    /// Traps in `init`.
    pub(super) failing: WrittenBundle,
}

impl Bundles {
    pub(super) fn write(publisher: &Publisher) -> Self {
        let good = |number| good_bundle(publisher, number).write();
        let other = |number| {
            let bundle = publisher.bundle(wat_guest("writes_eight_memories"));
            bundle.file("number", vec![number]).write()
        };
        let guest = |name| publisher.bundle(test_guest(name)).write();
        Self {
            good: (1..=VARIANTS).map(good).collect(),
            others: (1..=VARIANTS).map(other).collect(),
            refused: guest("imports_sockets"),
            failing: guest("panics_in_init"),
        }
    }
}
