//! Checks that must hold for anything that a stranger hands to the signing library, target by target. The fuzzer
//! tries them on bytes of its own, and the library's tests on the corpus that fuzzing left.

mod archive;
mod envelope;
mod manifest;
mod pem;
mod private_key;
mod public_key;
mod revocations;
mod root;
mod trust_toml;

use ampoule_signing::Error;

/// Panics when something that must hold for these bytes does not.
type Check = fn(&[u8]);

/// Every target: its name, which is also its corpus's, and what is checked.
pub(crate) const TARGETS: [(&str, Check); 8] = [
    ("archive", archive::check),
    ("envelope", envelope::check),
    ("manifest", manifest::check),
    ("private_key", private_key::check),
    ("public_key", public_key::check),
    ("revocations", revocations::check),
    ("root", root::check),
    ("trust_toml", trust_toml::check),
];

/// Checks one input of the target of this name.
pub(crate) fn check(target: &str, bytes: &[u8]) {
    let (_, check) = TARGETS
        .into_iter()
        .find(|(name, _)| *name == target)
        .expect("a target of this name");
    check(bytes);
}

/// A refusal says why, by one of the codes that are due (a family where it ends in a dot), in a line that
/// no terminal obeys.
#[track_caller]
fn assert_refused(error: &Error, codes: &[&str]) {
    let code = error.code();
    let is_due = |due: &&str| code == *due || (due.ends_with('.') && code.starts_with(*due));
    let text = error.to_string();
    assert!(codes.iter().any(is_due), "{code}: {text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 2_000, "{text}");
}
