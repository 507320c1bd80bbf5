//! Two hundred requests of each hostile kind leave nothing behind in the host's memory.
//!
//! One test after the other: each measures the whole process.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use ampoule::{ByteSize, Capability, GenerationRequest, Host, Image, Limits, Model};
use ampoule_tests::{
    BundleBuilder, Publisher, block_on, host_with_limits, peak_resident_bytes,
    reset_peak_resident_bytes, resident_bytes, test_guest, wat_guest,
};
use futures_util::future::join_all;
use serde_json::json;

/// Lock of the test that measures.
fn alone() -> MutexGuard<'static, ()> {
    static MEASURING: Mutex<()> = Mutex::new(());
    MEASURING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Growth of the host that is allowed, in bytes, beside the memory of one sandbox.
const ALLOWED_OVER_REST: u64 = 64 << 20;

/// Growth of the host that is allowed over [`REQUESTS`] requests of one kind.
const ALLOWED_GROWTH: u64 = 16 << 20;
const WARM_UP: usize = 20;
const REQUESTS: usize = 200;

/// Requests at one time. Most of them run to their deadline, which is one of the clock.
const AT_ONCE: usize = 4;

/// Guests that fail or misbehave at every request, and the text that tells them how.
const KINDS: [(&str, &str); 30] = [
    ("never_returns", ""),
    ("sleeps_past_deadline", ""),
    ("spins_in_realloc", ""),
    ("spins_in_post_return", ""),
    ("allocates_without_end", ""),
    ("grows_many_tables", ""),
    ("grows_many_memories", ""),
    ("answers_after_denied_memory", ""),
    ("recurses_without_end", ""),
    ("overflows_shadow_stack", ""),
    ("returns_giant_list", "1048576"),
    ("giant_import_argument", "4194304"),
    ("asks_for_giant_random", ""),
    ("wrong_shape", "many-values"),
    ("nan_values", ""),
    ("breaks_the_abi", ""),
    ("floods_the_log", ""),
    ("floods_stdout", ""),
    ("forges_log_lines", ""),
    ("traps", ""),
    ("panics", ""),
    ("exits", ""),
    ("guest_error", ""),
    ("invalid_error_code", "long"),
    ("opens_files", ""),
    ("inspects_environment", ""),
    ("remembers", "secret"),
    ("assets_out_of_range", ""),
    ("assets_unknown_name", ""),
    ("assets_outside_init", ""),
];

/// Guests that are refused while they are loaded: every request is a load.
const LOADS: [&str; 8] = [
    "imports_sockets",
    "exports_too_few",
    "exports_extra",
    "spins_in_init",
    "allocates_in_init",
    "fails_in_init",
    "panics_in_init",
    "giant_asset_name",
];

/// Guests written in the text format.
const WAT: [&str; 5] = [
    "spins_in_realloc",
    "spins_in_post_return",
    "grows_many_tables",
    "grows_many_memories",
    "breaks_the_abi",
];

/// Guests that misbehave in a way that the number of texts selects: each way in turn.
const BY_NUMBER: [(&str, usize); 7] = [
    ("repeats_bulk_operations", 6),
    ("grows_page_by_page", 1),
    ("fails_in_realloc", 5),
    ("answers_wildly", 10),
    ("logs_wildly", 4),
    ("calls_out_of_turn", 2),
    ("abuses_pollables", 8),
];

/// The ways of `abuses_generations`.
const ABUSES: u32 = 15;

const GENERATIONS: [&str; 3] = [
    "endless_generation",
    "generation_blocks",
    "generation_giant_chunk",
];

fn bundle<'p>(publisher: &'p Publisher, kind: &str) -> BundleBuilder<'p> {
    let by_number = BY_NUMBER.iter().any(|(name, _)| *name == kind);
    let component = if by_number || kind == "abuses_generations" || WAT.contains(&kind) {
        wat_guest(kind)
    } else {
        test_guest(kind)
    };
    publisher
        .bundle(component)
        .file("data.bin", vec![7; 1_000])
        // Short, so that two hundred requests that run to it take seconds.
        .set("/limits/deadline_ms", json!(25))
        .set("/limits/init/deadline_ms", json!(50))
        .set("/limits/memory_bytes", json!(32 << 20))
        .set("/limits/init/memory_bytes", json!(32 << 20))
}

async fn generate(model: &Model, tokens: u32) {
    let request = GenerationRequest::question("x", tokens);
    let Ok(mut generation) = model.generate(request).await else {
        return;
    };
    for _ in 0..50 {
        if !matches!(generation.next().await, Ok(Some(_))) {
            return;
        }
    }
}

/// Returns the growth of the process over the requests that follow a warm-up.
async fn growth(request: impl AsyncFn()) -> u64 {
    repeat(WARM_UP, &request).await;
    let before = resident_bytes();
    repeat(REQUESTS, &request).await;
    resident_bytes().saturating_sub(before)
}

/// Makes so many requests, [`AT_ONCE`] of them at one time.
async fn repeat(times: usize, request: &impl AsyncFn()) {
    let caller = || async {
        for _ in 0..times / AT_ONCE {
            request().await;
        }
    };
    join_all(std::iter::repeat_with(caller).take(AT_ONCE)).await;
}

#[test]
fn two_hundred_hostile_requests_of_each_kind_grow_the_host_by_at_most_16_mib() {
    let _alone = alone();
    let acme = Publisher::new("acme");
    let host = Host::builder().trust(acme.trust()).threads(AT_ONCE);
    let host = host.build().unwrap();
    block_on(async {
        for (kind, text) in KINDS {
            let model = host.load(bundle(&acme, kind).write().path()).await.unwrap();
            let grown = growth(async || {
                // What comes back is the other tests' business.
                let _ = model.embed_text(&[text]).await;
            })
            .await;
            println!("{kind}: {} KiB", grown / 1024);
            assert!(
                grown <= ALLOWED_GROWTH,
                "{kind} grew the host by {grown} bytes"
            );
        }
        for (kind, ways) in BY_NUMBER {
            let model = host.load(bundle(&acme, kind).write().path()).await.unwrap();
            let way = std::cell::Cell::new(0);
            let grown = growth(async || {
                way.set(way.get() % ways + 1);
                let _ = model.embed_text(&vec!["x"; way.get()]).await;
            })
            .await;
            println!("{kind}: {} KiB", grown / 1024);
            assert!(
                grown <= ALLOWED_GROWTH,
                "{kind} grew the host by {grown} bytes"
            );
        }
        let abuses = bundle(&acme, "abuses_generations").tasks(&["text-generation"]);
        let model = host.load(abuses.write().path()).await.unwrap();
        let way = std::cell::Cell::new(0);
        let grown = growth(async || {
            way.set(way.get() % ABUSES + 1);
            generate(&model, way.get()).await;
        })
        .await;
        println!("abuses_generations: {} KiB", grown / 1024);
        assert!(
            grown <= ALLOWED_GROWTH,
            "the abuses of generations grew the host by {grown} bytes"
        );
        for kind in GENERATIONS {
            let bundle = bundle(&acme, kind).tasks(&["text-generation"]).write();
            let model = host.load(bundle.path()).await.unwrap();
            let grown = growth(async || generate(&model, 1_000_000).await).await;
            println!("{kind}: {} KiB", grown / 1024);
            assert!(
                grown <= ALLOWED_GROWTH,
                "{kind} grew the host by {grown} bytes"
            );
        }
        for kind in LOADS {
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

        let aliased = bundle(&acme, "returns_aliased_list").tasks(&["image-classification"]);
        let model = host.load(aliased.write().path()).await.unwrap();
        let grown = growth(async || {
            let image = Image::Rgb8 {
                width: 1,
                height: 1,
                pixels: vec![0; 3],
            };
            assert!(model.classify_image(image, 9).await.is_err());
        })
        .await;
        assert!(
            grown <= ALLOWED_GROWTH,
            "the aliased list grew the host by {grown} bytes"
        );

        let good = acme.every_task().write();
        let model = host.load(good.path()).await.unwrap();
        model.embed_text(&["x"]).await.unwrap();
    });
}

#[test]
fn fifty_loads_of_a_model_that_says_much_of_itself_grow_the_host_by_at_most_64_mib() {
    let _alone = alone();
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.output = ByteSize::from_mib(8);
    let host = host_with_limits(&acme, limits);
    let bundle = acme
        .bundle(wat_guest("describes_itself_at_length"))
        .set("/limits/output_bytes", json!(8 << 20))
        .write();
    let load = || block_on(host.load(bundle.path())).unwrap();
    let first = load();
    let before = resident_bytes();
    let others: Vec<_> = (1..50).map(|_| load()).collect();
    let grown = resident_bytes().saturating_sub(before);
    println!("{} loads: {} KiB", others.len(), grown / 1024);
    assert!(grown <= ALLOWED_OVER_REST, "{grown}");
    assert_eq!(first.info(), others[0].info());
}

/// One row of a layer of a million outputs is four MiB, and the host's and the guest's copy of it stand side by
/// side for a moment.
#[test]
fn rows_that_the_host_computes_count_as_memory_of_their_sandbox_while_they_are_there() {
    const MEMORY: u64 = 128 << 20;
    let _alone = alone();
    let acme = Publisher::new("acme");
    let host = Host::builder()
        .trust(acme.trust())
        .allow(Capability::HostKernels)
        .build()
        .unwrap();
    let bundle = acme
        .bundle(test_guest("multiplies_on_the_host"))
        .file("plan.txt", b"f32 1 1048576 0".to_vec())
        .file("data.bin", vec![0; 4 << 20])
        .set("/capabilities", json!(["host-kernels"]))
        .set("/limits/memory_bytes", json!(MEMORY))
        .set("/limits/init/memory_bytes", json!(MEMORY))
        .set("/limits/deadline_ms", json!(5_000))
        .write();
    let model = block_on(host.load(bundle.path())).unwrap();
    let ask = |rows: usize| {
        let text = format!("multiply 0 {rows} 1 1");
        block_on(model.embed_text(&[text])).map(|answer| answer.sandbox.peak_memory.bytes())
    };
    let before = resident_bytes();
    // What it has room for twice is computed, and said to have been held.
    reset_peak_resident_bytes();
    let held = ask(4).unwrap();
    let grown = peak_resident_bytes().saturating_sub(before);
    println!("held {held}, grown by {grown}");
    assert!(held >= 2 * 4 * (4 << 20), "{held}");
    assert!(grown <= held + (16 << 20), "{grown} beside {held}");
    // One copy of this would fit.
    for rows in [16, 20, 1_000] {
        reset_peak_resident_bytes();
        assert_eq!(ask(rows).unwrap_err().code(), "limit.memory", "{rows}");
        let grown = peak_resident_bytes().saturating_sub(before);
        println!("{rows} rows: grown by {grown}");
        assert!(grown <= MEMORY + (16 << 20), "{rows}: {grown}");
    }
    assert!(ask(4).is_ok());
}
