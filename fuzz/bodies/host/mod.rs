//! Checks that must hold for anything that a stranger's model hands to the host, target by target. The fuzzer tries
//! them on bytes of its own, and the end-to-end tests on the corpus that fuzzing left.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a check fails by panicking"
)]

mod answering_guests;
mod bundle;
mod component;
mod description;
mod lifting;

use std::sync::OnceLock;

use ampoule::Error;
use ampoule_tests::Publisher;

/// Panics when something that must hold for these bytes does not.
type Check = fn(&[u8]);

/// Every target: its name, which is also its corpus's, and what is checked.
pub(crate) const TARGETS: [(&str, Check); 4] = [
    ("bundle", bundle::check),
    ("component", component::check),
    ("description", description::check),
    ("lifting", lifting::check),
];

/// Checks one input of the target of this name.
pub(crate) fn check(target: &str, bytes: &[u8]) {
    let (_, check) = TARGETS
        .into_iter()
        .find(|(name, _)| *name == target)
        .expect("a target of this name");
    check(bytes);
}

/// The publisher that signs everything here.
fn acme() -> &'static Publisher {
    static ACME: OnceLock<Publisher> = OnceLock::new();
    ACME.get_or_init(|| Publisher::new("acme"))
}

/// A failure says why, by one of the codes that are due (a family where it ends in a dot), in a line that
/// no terminal obeys.
#[track_caller]
fn assert_fails_as(error: &Error, codes: &[&str]) {
    let code = error.code();
    let is_due = |due: &&str| code == *due || (due.ends_with('.') && code.starts_with(*due));
    let text = error.to_string();
    assert!(codes.iter().any(is_due), "{code}: {text}");
    assert_harmless(code, 100);
    assert_harmless(&text, 5_000);
}

/// A line of text that no terminal obeys.
#[track_caller]
fn assert_harmless(text: &str, longest: usize) {
    assert!(!text.contains('\n'), "{text:?}");
    assert_eq!(ampoule::harmless_text(text), text);
    assert!(text.len() <= longest, "{} bytes: {text}", text.len());
}
