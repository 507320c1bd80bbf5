//! Files of a model that are wrong, and the refusals that a guest owes for them.
//!
//! Each function takes good files and a way to load them, breaks the files, and fails where the guest takes them or
//! answers with another error.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::safetensors::file_of;

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A guest's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its dotted code.
    pub code: String,
    /// Its sentence.
    pub message: String,
}

const WEIGHTS: &str = "model.safetensors";

/// Takes out one of the three files at a time.
///
/// # Panics
///
/// When the guest does not refuse it as `asset.not-found` by its name.
#[track_caller]
pub fn assert_missing_files_are_named(
    files: &Files,
    mut load: impl FnMut(Files) -> Option<Refusal>,
) {
    for name in ["config.json", "tokenizer.json", WEIGHTS] {
        let mut files = files.clone();
        assert!(files.remove(name).is_some(), "{name}");
        let message = refused(load(files), "asset.not-found", name);
        assert!(message.contains(name), "{message}");
    }
}

/// Gives one setting of the file `name` another value at a time.
///
/// # Panics
///
/// When the guest does not refuse one as `code`.
#[track_caller]
pub fn assert_settings_are_refused(
    files: &Files,
    name: &str,
    settings: impl IntoIterator<Item = (&'static str, Value)>,
    code: &str,
    mut load: impl FnMut(Files) -> Option<Refusal>,
) {
    for (key, value) in settings {
        let Ok(mut all) = serde_json::from_slice::<Value>(&files[name]) else {
            unreadable(name);
        };
        let what = format!("{key} = {value}");
        all[key] = value;
        let mut files = files.clone();
        files.insert(name.to_owned(), all.to_string().into_bytes());
        refused(load(files), code, &what);
    }
}

/// Cuts the weights short at many lengths, and makes them longer by a byte.
///
/// # Panics
///
/// When the guest does not refuse one as `model.weights`.
#[track_caller]
pub fn assert_weights_cut_anywhere_are_refused(
    files: &Files,
    mut load: impl FnMut(Files) -> Option<Refusal>,
) {
    let whole = &files[WEIGHTS];
    let mut check = |weights: Vec<u8>| {
        let what = format!("{} of {} bytes", weights.len(), whole.len());
        refused(load(with_weights(files, weights)), "model.weights", &what);
    };
    // At each byte where lengths and the header begin, and at some hundred places after.
    let step = (whole.len() / 200).max(1) | 1;
    for length in (0..whole.len()).rev().step_by(step).chain(0..64) {
        check(whole[..length].to_vec());
    }
    check([&whole[..], &[0]].concat());
}

/// Puts files of weights in place whose headers no writer makes. `tensor` is the name of one that the guest wants.
///
/// # Panics
///
/// When the guest does not refuse one as `model.weights`.
#[track_caller]
pub fn assert_hostile_headers_are_refused(
    files: &Files,
    tensor: &str,
    mut load: impl FnMut(Files) -> Option<Refusal>,
) {
    let header = |shape: Value, offsets: Value| json!({tensor: {"dtype": "F32", "shape": shape, "data_offsets": offsets}});
    for (what, weights) in [
        ("nothing", Vec::new()),
        ("a length beyond the end", vec![0xff; 64]),
        (
            "a length just beyond the end",
            [&57u64.to_le_bytes()[..], &[b' '; 56]].concat(),
        ),
        ("no JSON", file_of(&json!("text"), &[])),
        ("no tensors", file_of(&json!({}), &[])),
        ("deep nesting", {
            let mut file = 100_000u64.to_le_bytes().to_vec();
            file.extend([b'['; 100_000]);
            file
        }),
        (
            "a size that overflows",
            file_of(&header(json!([1u64 << 33, 1u64 << 31]), json!([0, 0])), &[]),
        ),
        (
            "offsets backwards",
            file_of(&header(json!([1]), json!([4, 0])), &[0; 4]),
        ),
        (
            "offsets beyond the end",
            file_of(&header(json!([2]), json!([0, 8])), &[0; 4]),
        ),
        (
            "a gap",
            file_of(&header(json!([1]), json!([4, 8])), &[0; 8]),
        ),
    ] {
        refused(load(with_weights(files, weights)), "model.weights", what);
    }
}

/// Flips one bit of each byte of the weights' header, or of some thousand of its bytes. Every tensor has to be one that the guest wants: then no name
/// may change unnoticed either.
///
/// # Panics
///
/// When the guest does not refuse one as `model.weights`.
#[track_caller]
pub fn assert_flipped_bits_in_the_header_are_refused(
    files: &Files,
    mut load: impl FnMut(Files) -> Option<Refusal>,
) {
    let whole = &files[WEIGHTS];
    let header = 8 + usize::from(whole[0]) + 256 * usize::from(whole[1]);
    let step = (header / 1000).max(1) | 1;
    for position in (0..header).step_by(step) {
        let mut broken = whole.clone();
        broken[position] ^= 1 << (position % 8);
        let what = format!("byte {position}");
        refused(load(with_weights(files, broken)), "model.weights", &what);
    }
}

fn with_weights(files: &Files, weights: Vec<u8>) -> Files {
    let mut files = files.clone();
    files.insert(WEIGHTS.to_owned(), weights);
    files
}

/// Returns the message of a refusal with this code.
#[track_caller]
fn refused(refusal: Option<Refusal>, code: &str, what: &str) -> String {
    match refusal {
        Some(refusal) if refusal.code == code => refusal.message,
        other => unexpected(code, what, other),
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test may fail loudly")]
fn unexpected(code: &str, what: &str, found: Option<Refusal>) -> ! {
    panic!("{what}: expected `{code}`, found {found:?}");
}

#[track_caller]
#[expect(clippy::panic, reason = "a test may fail loudly")]
fn unreadable(name: &str) -> ! {
    panic!("`{name}` of a model that is whole is no JSON");
}
