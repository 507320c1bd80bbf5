//! The fuzzer's corpus of models' data, through the fuzzer's own checks.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and prints what it counted"
)]

#[path = "../../fuzz/bodies/host/mod.rs"]
mod host;

use std::fs;

/// Least number of files: fewer mean that the corpus was lost.
const LEAST_FILES: usize = 8;

/// Sends the corpus of this target through its check.
fn replay(target: &str) {
    let corpus = ampoule_tests::workspace_file("fuzz/corpus").join(target);
    let mut files = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        host::check(target, &bytes);
        // However much is missing, it is no other thing.
        for length in (0..bytes.len()).step_by(bytes.len().div_ceil(20).max(1)) {
            host::check(target, &bytes[..length]);
        }
        files += 1;
    }
    println!("{files} files for {target}");
    assert!(files >= LEAST_FILES, "{files} files for {target}");
}

#[test]
fn whatever_a_guest_hands_over_is_an_answer_or_its_failure() {
    replay("lifting");
}

#[test]
fn whatever_a_guest_says_of_itself_is_harmless_text_or_its_failure() {
    replay("description");
}

#[test]
fn whatever_bytes_a_component_has_it_is_admitted_within_the_contract_or_refused() {
    replay("component");
}

#[test]
fn whatever_a_trusted_publisher_signs_is_loaded_within_the_caps_or_refused() {
    replay("bundle");
}
