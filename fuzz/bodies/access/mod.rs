//! Checks that must hold for anything that a caller sends as a token. The fuzzer tries them on bytes of its own, and the
//! tests of `ampoule-access` on the corpus that fuzzing left.

mod jwt;

/// Panics when something that must hold for these bytes does not.
type Check = fn(&[u8]);

/// Every target: its name, which is also its corpus's, and what is checked.
pub(crate) const TARGETS: [(&str, Check); 1] = [("jwt", jwt::check)];

/// Checks one input of the target of this name.
pub(crate) fn check(target: &str, bytes: &[u8]) {
    let (_, check) = TARGETS
        .into_iter()
        .find(|(name, _)| *name == target)
        .expect("a target of this name");
    check(bytes);
}
