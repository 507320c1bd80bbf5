//! Sixty-four sandboxes of a model at once share the pages of its weights.
//!
//! One test alone in its file: it measures the whole process.

#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::time::Duration;

use ampoule::{GenerationRequest, Limits, SandboxStart};
use ampoule_tests::{
    Publisher, block_on, host_with_limits, private_dirty_bytes, proportional_bytes, test_guest,
};
use futures_util::future::join_all;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::json;

/// Two files, because one of more than 64 MiB has its digest in parts.
const FILES: usize = 2;
const FILE_BYTES: usize = 50 << 20;
const WEIGHTS: u64 = (FILES * FILE_BYTES) as u64;
const SANDBOXES: usize = 64;

/// Memory of its own that a sandbox may have after reading all weights: stacks, tables, written pages.
const ALLOWED_PRIVATE: u64 = 1 << 20;

/// Deadline in which a busy machine reads 100 MB 64 times.
const DEADLINE: Duration = Duration::from_secs(120);

/// Makes bytes that no compression makes smaller.
fn incompressible(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; FILE_BYTES];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

#[test]
fn sixty_four_sandboxes_of_a_model_of_100_mb_share_the_pages_of_its_weights() {
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.sandboxes = SANDBOXES;
    limits.deadline = DEADLINE;
    limits.idle = DEADLINE;
    let host = host_with_limits(&acme, limits);

    let mut bundle = acme
        .bundle(test_guest("sums_its_weights"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
        .set("/limits/memory_bytes", json!(256 << 20))
        .set("/limits/init/deadline_ms", json!(60_000))
        .set("/limits/init/memory_bytes", json!(256 << 20));
    let mut sum = 0;
    for number in 0..FILES {
        let bytes = incompressible(number as u64 + 1);
        sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        bundle = bundle.file(&format!("weights-{number}.bin"), bytes);
    }
    let bundle = bundle.write();

    block_on(async {
        let model = host.load(bundle.path()).await.unwrap();
        let SandboxStart::Snapshot { memory } = model.sandbox_start() else {
            panic!("{:?}", model.sandbox_start());
        };
        println!("the snapshot: {memory}");
        let private_before = private_dirty_bytes();

        let begun = (0..SANDBOXES).map(|_| async {
            let request = GenerationRequest::question("x", 1_000);
            let mut generation = model.generate(request).await.unwrap();
            // It has read all of its weights by then.
            let chunk = generation.next().await.unwrap().unwrap();
            assert_eq!(chunk.text, sum.to_string());
            generation
        });
        let mut held = join_all(begun).await;
        let full = model.generate(GenerationRequest::question("x", 1)).await;
        assert_eq!(full.err().unwrap().code(), "limit.busy");

        let count = SANDBOXES as u64;
        let private = private_dirty_bytes().saturating_sub(private_before) / count;
        let total = proportional_bytes();
        println!(
            "{SANDBOXES} sandboxes: {} KiB in all, {} KiB of its own each",
            total / 1024,
            private / 1024
        );
        assert!(private <= ALLOWED_PRIVATE, "{private} bytes of its own");
        assert!(
            total <= WEIGHTS * 2 + count * private,
            "{total} bytes in all, with {private} of its own for each"
        );
        // They have been there all the time: the first one goes on.
        assert!(held[0].next().await.unwrap().is_some());
    });
}
