//! Checks that hold for the guest's kernels at all shapes and numbers, target by target. The fuzzer tries them on
//! bytes of its own, and the kernels' tests on the corpus that fuzzing left.

#![allow(clippy::expect_used, reason = "a check fails by panicking")]

mod attention;
mod input;
mod product;

/// Panics when something that must hold for these bytes does not.
type Check = fn(&[u8]);

/// Every target: its name, which is also its corpus's, and what is checked.
pub(crate) const TARGETS: [(&str, Check); 2] =
    [("attention", attention::check), ("product", product::check)];

/// Checks one input of the target of this name.
pub(crate) fn check(target: &str, bytes: &[u8]) {
    let (_, check) = TARGETS
        .into_iter()
        .find(|(name, _)| *name == target)
        .expect("a target of this name");
    check(bytes);
}
