//! The corpus that fuzzing left, and bytes that look random, go through the checks of the fuzzer.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says of which bytes"
)]

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/bodies/kernels/mod.rs"]
mod kernels;

/// Fewer would be a corpus that was lost.
const LEAST_FILES: usize = 8;

/// Strings of bytes for each target.
const STRINGS: u64 = 1_000;

#[test]
fn what_fuzzing_kept_is_computed_as_it_has_to_be() {
    let corpora = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"));
    for (target, _) in kernels::TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(corpora.join(target)).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            kernels::check(target, &bytes);
            files += 1;
        }
        assert!(files >= LEAST_FILES, "{files} files for {target}");
    }
}

#[test]
fn products_of_shapes_and_numbers_out_of_any_bytes_are_as_they_have_to_be() {
    check_random_bytes("product");
}

#[test]
fn attention_to_shapes_and_numbers_out_of_any_bytes_is_as_it_has_to_be() {
    check_random_bytes("attention");
}

fn check_random_bytes(target: &str) {
    for seed in 0..STRINGS {
        let bytes = random_bytes(seed);
        if let Err(panic) = std::panic::catch_unwind(|| kernels::check(target, &bytes)) {
            eprintln!("{target}, a file of the corpus: {bytes:02x?}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Up to 90 bytes: those of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
/// 2014).
fn random_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed << 32;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) as u8
    };
    let length = next() % 91;
    (0..length).map(|_| next()).collect()
}
