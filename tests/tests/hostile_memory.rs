//! Two hundred requests of each hostile kind leave nothing behind in the host's memory.
//!
//! One test alone in its file: it measures the whole process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ampoule::{GenerationRequest, Model};
use ampoule_tests::{
    BundleBuilder, Publisher, block_on, every_task, host_trusting, resident_bytes, test_guest,
    wat_guest,
};
use serde_json::json;

/// What the host may grow by over [`REQUESTS`] requests of one kind.
const ALLOWED_GROWTH: u64 = 16 << 20;
const WARM_UP: usize = 20;
const REQUESTS: usize = 200;

/// Guests that fail or misbehave at every request. Those that run to their deadline get a short
/// one, so that two hundred of them take seconds.
const KINDS: [&str; 23] = [
    "never_returns",
    "sleeps_past_deadline",
    "allocates_without_end",
    "grows_many_tables",
    "grows_many_memories",
    "answers_after_denied_memory",
    "recurses_without_end",
    "returns_giant_list",
    "returns_aliased_list",
    "giant_import_argument",
    "asks_for_giant_random",
    "wrong_shape",
    "floods_the_log",
    "floods_stdout",
    "forges_log_lines",
    "traps",
    "panics",
    "exits",
    "guest_error",
    "invalid_error_code",
    "opens_files",
    "inspects_environment",
    "remembers",
];

const GENERATIONS: [&str; 3] = [
    "endless_generation",
    "generation_blocks",
    "generation_giant_chunk",
];

fn bundle<'p>(publisher: &'p Publisher, kind: &str) -> BundleBuilder<'p> {
    let component = if kind.starts_with("grows_many") {
        wat_guest(kind)
    } else {
        test_guest(kind)
    };
    publisher
        .bundle(component)
        .set("/limits/deadline_ms", json!(25))
        .set("/limits/memory_bytes", json!(32 << 20))
        .set("/limits/init/memory_bytes", json!(32 << 20))
}

async fn generate(model: &Model) {
    let request = GenerationRequest::question("x", 1_000_000);
    let Ok(mut generation) = model.generate(request).await else {
        return;
    };
    for _ in 0..50 {
        if !matches!(generation.next().await, Ok(Some(_))) {
            return;
        }
    }
}

/// How much the process grew over the requests that follow a warm-up.
async fn growth(request: impl AsyncFn()) -> u64 {
    for _ in 0..WARM_UP {
        request().await;
    }
    let before = resident_bytes();
    for _ in 0..REQUESTS {
        request().await;
    }
    resident_bytes().saturating_sub(before)
}

#[test]
fn two_hundred_hostile_requests_of_each_kind_grow_the_host_by_at_most_16_mib() {
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    block_on(async {
        for kind in KINDS {
            let model = host.load(bundle(&acme, kind).write().path()).await.unwrap();
            let grown = growth(async || {
                // What comes back is the other tests' business.
                let _ = model.embed_text(&["x"]).await;
            })
            .await;
            println!("{kind}: {} KiB", grown / 1024);
            assert!(
                grown <= ALLOWED_GROWTH,
                "{kind} grew the host by {grown} bytes"
            );
        }
        for kind in GENERATIONS {
            let bundle = bundle(&acme, kind).tasks(&["text-generation"]).write();
            let model = host.load(bundle.path()).await.unwrap();
            let grown = growth(async || generate(&model).await).await;
            println!("{kind}: {} KiB", grown / 1024);
            assert!(
                grown <= ALLOWED_GROWTH,
                "{kind} grew the host by {grown} bytes"
            );
        }
        // Those that never get past loading: every request is a load.
        for kind in [
            "fails_in_init",
            "panics_in_init",
            "allocates_in_init",
            "exports_too_few",
        ] {
            let bundle = bundle(&acme, kind).write();
            let grown = growth(async || {
                assert!(host.load(bundle.path()).await.is_err());
            })
            .await;
            println!("{kind}: {} KiB", grown / 1024);
            assert!(
                grown <= ALLOWED_GROWTH,
                "{kind} grew the host by {grown} bytes"
            );
        }

        let good = acme
            .bundle(every_task())
            .tasks(&[
                "text-tokenization",
                "text-embedding",
                "image-embedding",
                "image-classification",
                "text-generation",
            ])
            .write();
        let model = host.load(good.path()).await.unwrap();
        model.embed_text(&["x"]).await.unwrap();
    });
}
