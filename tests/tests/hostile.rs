//! Hostile guests: each is stopped with the code that names why, and the host serves on.
//!
//! Every guest is a real component, signed by a publisher that the host trusts: what is tested is
//! what the sandbox does about code that was let in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

use std::time::{Duration, Instant};

use ampoule::{
    Answer, Error, GenerationRequest, Host, Image, Limits, Model, Phase, TextEmbeddings,
};
use ampoule_tests::{
    BundleBuilder, Publisher, block_on, every_task, host_trusting, host_with_limits, test_guest,
    wat_guest,
};
use serde_json::json;

/// The deadline in the manifests of guests that must run into it.
const DEADLINE: Duration = Duration::from_millis(200);

/// What a stopped guest may overrun its deadline by here. The timer ticks every millisecond; the
/// rest is for a machine with other things to do.
const SLACK: Duration = Duration::from_millis(300);

/// Loads the guest and asks it for an embedding; whichever fails, the error must have the code.
/// Afterwards the same host must serve a good model.
fn assert_stopped(publisher: &Publisher, bundle: BundleBuilder<'_>, code: &str) -> Error {
    let host = host_trusting(publisher);
    let error = block_on(ask(&host, bundle)).expect_err("the guest must be stopped");
    assert_eq!(error.code(), code, "{error}");
    assert_serves(publisher, &host);
    error
}

async fn ask(host: &Host, bundle: BundleBuilder<'_>) -> ampoule::Result<Answer<TextEmbeddings>> {
    ask_with(host, bundle, &["hello"]).await
}

/// Some guests take from the texts how they misbehave.
async fn ask_with(
    host: &Host,
    bundle: BundleBuilder<'_>,
    texts: &[&str],
) -> ampoule::Result<Answer<TextEmbeddings>> {
    let bundle = bundle.write();
    host.load(bundle.path()).await?.embed_text(texts).await
}

async fn load(host: &Host, bundle: BundleBuilder<'_>) -> Model {
    let bundle = bundle.write();
    host.load(bundle.path()).await.unwrap()
}

/// The host still answers a good request, rightly.
fn assert_serves(publisher: &Publisher, host: &Host) {
    let answer = block_on(async {
        load(host, good(publisher))
            .await
            .embed_text(&["aaaa"])
            .await
            .unwrap()
    });
    assert_eq!(answer.output.vectors().len(), 1);
    assert!(answer.output.values.iter().any(|value| *value > 0.0));
}

fn good(publisher: &Publisher) -> BundleBuilder<'_> {
    publisher.bundle(every_task()).tasks(&[
        "text-tokenization",
        "text-embedding",
        "image-embedding",
        "image-classification",
        "text-generation",
    ])
}

fn acme() -> Publisher {
    Publisher::new("acme")
}

// ---- time and fuel

#[test]
fn a_guest_that_never_returns_is_stopped_at_its_deadline() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    block_on(async {
        let model = load(&host, bundle).await;
        let began = Instant::now();
        let error = model.embed_text(&["x"]).await.unwrap_err();
        assert_eq!(error.code(), "limit.deadline");
        let took = began.elapsed();
        assert!(took >= DEADLINE && took < DEADLINE + SLACK, "{took:?}");
    });
    assert_serves(&acme, &host);
}

#[test]
fn a_guest_that_never_returns_is_stopped_when_its_fuel_is_used_up() {
    let acme = acme();
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/fuel", json!(10_000_000));
    let error = assert_stopped(&acme, bundle, "limit.fuel");
    let Error::Fuel { used, allowed, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(allowed.get(), 10_000_000);
    assert!(used.get() >= 9_999_000 && used <= allowed, "{used}");
}

#[test]
fn a_guest_that_sleeps_is_stopped_at_its_deadline() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("sleeps_past_deadline"))
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    block_on(async {
        let model = load(&host, bundle).await;
        let began = Instant::now();
        let error = model.embed_text(&["x"]).await.unwrap_err();
        assert_eq!(error.code(), "limit.deadline");
        assert!(began.elapsed() < DEADLINE + SLACK, "{:?}", began.elapsed());
    });
    assert_serves(&acme, &host);
}

#[test]
fn a_guest_that_spins_in_init_is_stopped_by_the_budget_of_init() {
    let acme = acme();
    let bundle = acme
        .bundle(test_guest("spins_in_init"))
        .set("/limits/init/deadline_ms", json!(DEADLINE.as_millis()));
    let error = assert_stopped(&acme, bundle, "limit.deadline");
    assert!(matches!(
        error,
        Error::Deadline {
            phase: Phase::Init,
            ..
        }
    ));
    let bundle = acme
        .bundle(test_guest("spins_in_init"))
        .set("/limits/init/fuel", json!(10_000_000));
    assert_stopped(&acme, bundle, "limit.fuel");
}

#[test]
fn there_is_no_way_to_run_guest_code_without_a_deadline() {
    let acme = acme();
    let with_deadlines = |component| {
        acme.bundle(component)
            .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
            .set("/limits/init/deadline_ms", json!(DEADLINE.as_millis()))
    };
    for guest in ["spins_at_start", "spins_in_realloc", "spins_in_post_return"] {
        assert_stopped(&acme, with_deadlines(wat_guest(guest)), "limit.deadline");
    }
    let guest = test_guest("spins_in_describe");
    assert_stopped(&acme, with_deadlines(guest), "limit.deadline");
}

#[test]
fn a_dropped_request_stops_its_guest() {
    let acme = acme();
    let host = Host::builder()
        .trust(acme.trust())
        .threads(1)
        .build()
        .unwrap();
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(5_000));
    let good = block_on(load(&host, good(&acme)));
    let spinner = block_on(load(&host, bundle));
    block_on(async {
        let spin = spinner.embed_text(&["x"]);
        let timed = tokio::time::timeout(Duration::from_millis(50), spin).await;
        assert!(timed.is_err());
        // The host has one thread: it answers only if the spinner has left it.
        let began = Instant::now();
        good.embed_text(&["x"]).await.unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    });
}

#[test]
fn a_request_that_waits_too_long_expires_in_the_queue() {
    let acme = acme();
    let host = Host::builder()
        .trust(acme.trust())
        .threads(1)
        .build()
        .unwrap();
    let spinner = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(1_500));
    let quick = good(&acme).set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    let spinner = block_on(load(&host, spinner));
    let quick = block_on(load(&host, quick));
    block_on(async {
        let began = Instant::now();
        let (spun, waited) = tokio::join!(spinner.embed_text(&["x"]), async {
            let result = quick.embed_text(&["x"]).await;
            (result, began.elapsed())
        });
        assert_eq!(spun.unwrap_err().code(), "limit.deadline");
        let (result, took) = waited;
        assert_eq!(result.unwrap_err().code(), "limit.deadline");
        assert!(took < DEADLINE + SLACK, "{took:?}");
    });
}

#[test]
fn a_full_queue_answers_busy_at_once() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.queue = 1;
    let host = Host::builder()
        .trust(acme.trust())
        .limits(limits)
        .threads(1)
        .build()
        .unwrap();
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(500));
    let model = block_on(load(&host, bundle));
    block_on(async {
        let busy = async {
            // Once the first runs and the second waits, there is no room for a third.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let began = Instant::now();
            let error = model.embed_text(&["x"]).await.unwrap_err();
            assert_eq!(error.code(), "limit.busy");
            assert!(began.elapsed() < Duration::from_millis(100));
        };
        let later = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            model.embed_text(&["x"]).await
        };
        let _ = tokio::join!(model.embed_text(&["x"]), later, busy);
    });
}

// ---- memory and stack

#[test]
fn a_guest_that_allocates_without_end_is_stopped_with_both_numbers() {
    let acme = acme();
    let bundle = acme.bundle(test_guest("allocates_without_end"));
    let error = assert_stopped(&acme, bundle, "limit.memory");
    let Error::Memory { asked, allowed, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(allowed.bytes(), 64 << 20);
    assert!(asked > allowed);
}

#[test]
fn a_guest_that_grows_many_tables_is_stopped() {
    let acme = acme();
    assert_stopped(
        &acme,
        acme.bundle(wat_guest("grows_many_tables")),
        "limit.memory",
    );
}

#[test]
fn a_guest_that_grows_many_memories_is_stopped() {
    let acme = acme();
    assert_stopped(
        &acme,
        acme.bundle(wat_guest("grows_many_memories")),
        "limit.memory",
    );
}

#[test]
fn a_guest_that_allocates_without_end_in_init_is_stopped() {
    let acme = acme();
    let error = assert_stopped(
        &acme,
        acme.bundle(test_guest("allocates_in_init")),
        "limit.memory",
    );
    assert!(matches!(
        error,
        Error::Memory {
            phase: Phase::Init,
            ..
        }
    ));
}

#[test]
fn what_a_component_starts_with_counts_too() {
    let acme = acme();
    for guest in ["starts_with_giant_memory", "starts_with_giant_table"] {
        assert_stopped(&acme, acme.bundle(wat_guest(guest)), "limit.memory");
    }
}

#[test]
fn a_guest_that_lives_with_a_denial_may_answer() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(
        &host,
        acme.bundle(test_guest("answers_after_denied_memory")),
    ));
    assert!(answer.unwrap().sandbox.peak_memory.bytes() <= 64 << 20);
}

#[test]
fn a_guest_that_recurses_without_end_is_stopped() {
    let acme = acme();
    assert_stopped(
        &acme,
        acme.bundle(test_guest("recurses_without_end")),
        "limit.stack",
    );
}

// ---- what guests hand to the host

#[test]
fn a_giant_answer_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    // Two mebibytes of floats: room in the sandbox, more than the mebibyte that may leave it.
    let bundle = acme.bundle(test_guest("returns_giant_list"));
    let error = block_on(ask_with(&host, bundle, &["524288"])).unwrap_err();
    assert_eq!(error.code(), "limit.output", "{error}");
    let bundle = acme.bundle(test_guest("returns_giant_list"));
    assert_stopped(&acme, bundle, "limit.memory");
}

#[test]
fn a_small_list_that_claims_to_be_giant_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("returns_aliased_list"))
        .tasks(&["image-classification"]);
    let pixel = Image::Rgb8 {
        width: 1,
        height: 1,
        pixels: vec![0; 3],
    };
    let error = block_on(async { load(&host, bundle).await.classify_image(pixel, 9).await });
    assert_eq!(error.unwrap_err().code(), "limit.output");
    assert_serves(&acme, &host);
}

#[test]
fn a_giant_argument_to_an_import_is_refused() {
    let acme = acme();
    for guest in ["giant_import_argument", "giant_asset_name"] {
        let bundle = acme
            .bundle(test_guest(guest))
            .set("/limits/memory_bytes", json!(512 << 20))
            .set("/limits/init/memory_bytes", json!(512 << 20));
        assert_stopped(&acme, bundle, "limit.output");
    }
}

#[test]
fn a_giant_request_for_randomness_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(
        &host,
        acme.bundle(test_guest("asks_for_giant_random")),
    ));
    block_on(model.embed_text(&["65536"])).unwrap();
    // One byte more than the limit, and a gibibyte.
    for amount in ["65537", "1073741824"] {
        let error = block_on(model.embed_text(&[amount])).unwrap_err();
        assert_eq!(error.code(), "guest.trap", "{amount}: {error}");
    }
    assert_serves(&acme, &host);
}

#[test]
fn an_answer_of_the_wrong_shape_is_refused() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(&host, acme.bundle(test_guest("wrong_shape"))));
    for shape in [
        "few-values",
        "many-values",
        "few-flags",
        "many-flags",
        "huge-dimensions",
        "other-batch",
    ] {
        let error = block_on(model.embed_text(&[shape])).unwrap_err();
        assert_eq!(error.code(), "guest.answer", "{shape}: {error}");
    }
    block_on(model.embed_text(&["ordinary"])).unwrap();
}

#[test]
fn an_answer_that_is_no_number_is_refused() {
    let acme = acme();
    assert_stopped(&acme, acme.bundle(test_guest("nan_values")), "guest.answer");
}

#[test]
fn an_answer_that_breaks_the_abi_is_a_trap() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(&host, acme.bundle(wat_guest("breaks_the_abi"))));
    for texts in 1..=5 {
        let error = block_on(model.embed_text(&vec!["x"; texts])).unwrap_err();
        assert_eq!(error.code(), "guest.trap", "{texts}: {error}");
    }
    assert_serves(&acme, &host);
}

#[test]
fn empty_answers_are_answers() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(&host, acme.bundle(test_guest("empty_everything"))));
    for texts in [&[][..], &["a", "b"]] {
        let answer = block_on(model.embed_text(texts)).unwrap();
        assert_eq!(answer.output.values, [] as [f32; 0]);
        assert_eq!(answer.output.vectors().len(), texts.len());
    }
}

#[test]
fn a_guest_that_floods_the_log_is_cut_off_counted_and_answered() {
    let acme = acme();
    // Forty thousand calls of the host take seconds on a busy machine.
    let mut limits = Limits::default();
    limits.deadline = Duration::from_secs(60);
    let host = host_with_limits(&acme, limits);
    for guest in ["floods_the_log", "floods_stdout"] {
        let bundle = acme
            .bundle(test_guest(guest))
            .set("/limits/output_bytes", json!(2 << 20))
            .set("/limits/deadline_ms", json!(60_000));
        let log = block_on(ask(&host, bundle)).unwrap().sandbox.log;
        let kept: usize = log.messages.iter().map(|message| message.text.len()).sum();
        assert!(kept <= 64 * 1024, "{guest} kept {kept}");
        assert!(
            log.dropped_bytes > 19 << 20,
            "{guest} dropped {}",
            log.dropped_bytes
        );
    }
}

#[test]
fn a_guest_cannot_forge_log_lines() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(&host, acme.bundle(test_guest("forges_log_lines")))).unwrap();
    assert!(!answer.sandbox.log.messages.is_empty());
    for message in answer.sandbox.log.messages {
        assert!(
            !message.text.contains(['\n', '\r', '\u{1b}']),
            "{message:?}"
        );
    }
}

// ---- crashes and failures

#[test]
fn a_guest_that_traps_is_told_as_a_trap() {
    let acme = acme();
    for guest in ["traps", "panics", "exits", "overflows_shadow_stack"] {
        assert_stopped(&acme, acme.bundle(test_guest(guest)), "guest.trap");
    }
}

#[test]
fn a_guest_that_fails_in_init_is_refused_at_load() {
    let acme = acme();
    let error = assert_stopped(
        &acme,
        acme.bundle(test_guest("fails_in_init")),
        "guest.error",
    );
    assert!(error.to_string().contains("model.test"), "{error}");
    assert_stopped(
        &acme,
        acme.bundle(test_guest("panics_in_init")),
        "guest.trap",
    );
}

#[test]
fn a_guests_refusal_of_the_input_keeps_its_code() {
    let acme = acme();
    assert_stopped(&acme, acme.bundle(test_guest("guest_error")), "input.test");
}

#[test]
fn a_guests_error_is_made_harmless() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("invalid_error_code"))
        .set("/limits/output_bytes", json!(4 << 20));
    let model = block_on(load(&host, bundle));
    for way in ["escapes", "long", "empty", "host", "else"] {
        let error = block_on(model.embed_text(&[way])).unwrap_err();
        assert_eq!(error.code(), "guest.error", "{way}");
        let text = error.to_string();
        assert!(text.chars().count() < 2_000, "{way}");
        assert!(!text.chars().any(char::is_control), "{way}: {text}");
    }
}

#[test]
fn a_guest_does_not_choose_the_code_of_its_end() {
    let acme = acme();
    let bundle = acme.bundle(wat_guest("poses_as_a_limit"));
    let error = assert_stopped(&acme, bundle, "guest.trap");
    assert!(!error.to_string().contains("too high"), "{error}");
}

// ---- admission

#[test]
fn names_in_a_component_cannot_steer_a_terminal() {
    let acme = acme();
    let name = "evil:x/y\u{1b}[2J\n";
    let text = format!("(component (import {name:?} (instance)))")
        .replace("\\u{1b}", "\\1b")
        .replace("\\n", "\\0a");
    let component = wat::parse_str(text).unwrap();
    let error = assert_stopped(&acme, acme.bundle(component), "admission.import");
    assert!(
        !error.to_string().chars().any(char::is_control),
        "{error:?}"
    );
}

#[test]
fn a_guest_that_imports_sockets_is_refused_with_the_import_named() {
    let acme = acme();
    let bundle = acme.bundle(test_guest("imports_sockets"));
    let error = assert_stopped(&acme, bundle, "admission.import");
    assert!(error.to_string().contains("wasi:sockets/"), "{error}");
}

#[test]
fn a_guest_that_imports_http_or_the_unknown_is_refused_with_the_import_named() {
    let acme = acme();
    for (guest, import) in [
        ("imports_http", "wasi:http/"),
        ("imports_empty_interface", "/"),
    ] {
        let error = assert_stopped(&acme, acme.bundle(wat_guest(guest)), "admission.import");
        assert!(error.to_string().contains(import), "{error}");
    }
}

#[test]
fn imports_are_compared_by_semver_track() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(&host, acme.bundle(wat_guest("imports_newer_log")))).unwrap();
    assert_eq!(answer.sandbox.log.messages.len(), 1);
}

#[test]
fn a_component_that_exports_fewer_tasks_than_declared_is_refused() {
    let acme = acme();
    let bundle = acme.bundle(test_guest("exports_too_few"));
    let error = assert_stopped(&acme, bundle, "admission.task");
    // By its names, before it is compiled.
    assert!(error.to_string().contains("declares the task"), "{error}");
    let bundle = acme.bundle(test_guest("exports_no_lifecycle"));
    let error = assert_stopped(&acme, bundle, "admission.task");
    assert!(
        error.to_string().contains("does not export `lifecycle`"),
        "{error}"
    );
}

#[test]
fn a_component_whose_exports_have_other_types_is_refused_at_load() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme.bundle(wat_guest("exports_other_types")).write();
    let error = block_on(host.load(bundle.path())).err().unwrap();
    assert_eq!(error.code(), "admission.task", "{error}");
}

#[test]
fn a_component_of_many_instances_is_refused() {
    let acme = acme();
    let bundle = acme.bundle(wat_guest("multiplies_instances"));
    assert_stopped(&acme, bundle, "limit.instances");
}

#[test]
fn a_component_that_exports_more_tasks_than_declared_is_refused() {
    let acme = acme();
    assert_stopped(
        &acme,
        acme.bundle(test_guest("exports_extra")),
        "admission.task",
    );
}

#[test]
fn a_manifest_that_asks_for_more_than_the_cap_is_refused_with_both_numbers() {
    let acme = acme();
    for (pointer, value, asked, cap) in [
        ("/limits/memory_bytes", 513_u64 << 20, "513MiB", "512MiB"),
        ("/limits/deadline_ms", 5_001, "5001 ms", "5000 ms"),
        ("/limits/fuel", 50_000_000_001, "50000000001", "50000000000"),
        ("/limits/output_bytes", 9 << 20, "9MiB", "8MiB"),
        ("/limits/init/memory_bytes", 2 << 30, "2GiB", "1GiB"),
        ("/limits/init/deadline_ms", 60_001, "60001 ms", "60000 ms"),
        (
            "/limits/init/fuel",
            600_000_000_001,
            "600000000001",
            "600000000000",
        ),
    ] {
        let bundle = good(&acme).set(pointer, json!(value));
        let error = assert_stopped(&acme, bundle, "admission.limit");
        let text = error.to_string();
        assert!(
            text.contains(asked) && text.contains(cap),
            "{pointer}: {text}"
        );
    }
}

#[test]
fn a_capability_that_the_host_does_not_grant_is_refused() {
    let acme = acme();
    let bundle = good(&acme).set("/capabilities", json!(["host-kernels"]));
    assert_stopped(&acme, bundle, "admission.capability");
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    let acme = acme();
    for component in [b"not webassembly".to_vec(), b"\0asm\x01\0\0\0".to_vec()] {
        assert_stopped(&acme, acme.bundle(component), "compile.failed");
    }
    let mut cut = every_task();
    cut.truncate(cut.len() / 2);
    assert_stopped(&acme, acme.bundle(cut), "compile.failed");
}

// ---- nothing is there to reach

#[test]
fn a_guest_that_opens_files_finds_none() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(&host, acme.bundle(test_guest("opens_files")))).unwrap();
    // The guest answers with how many of its attempts succeeded.
    assert_eq!(answer.output.values, [0.0]);
}

#[test]
fn a_guest_sees_no_arguments_environment_or_input() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(&host, acme.bundle(test_guest("inspects_environment")))).unwrap();
    assert!(
        answer.output.values.iter().all(|found| *found == 0.0),
        "{answer:?}"
    );
}

#[test]
fn assets_answer_only_within_the_files_and_the_time_of_init() {
    let acme = acme();
    let host = host_trusting(&acme);
    for (guest, code) in [
        ("assets_out_of_range", "asset.out-of-range"),
        ("assets_unknown_name", "asset.not-found"),
        ("assets_outside_init", "asset.closed"),
    ] {
        let bundle = acme
            .bundle(test_guest(guest))
            .file("data.bin", (0..=255).collect());
        let error = block_on(ask(&host, bundle)).unwrap_err();
        assert!(error.to_string().contains(code), "{guest}: {error}");
        assert_serves(&acme, &host);
    }
}

#[test]
fn a_giant_asset_read_is_clamped() {
    let acme = acme();
    let host = host_trusting(&acme);
    for (size, expected) in [(9 << 20, 4 << 20), (1_000, 1_000)] {
        let bundle = acme
            .bundle(test_guest("assets_giant_length"))
            .file("data.bin", vec![1; size]);
        let answer = block_on(ask(&host, bundle)).unwrap();
        // The guest answers with how many bytes it was given.
        assert_eq!(answer.output.values, [expected as f32]);
    }
}

#[test]
fn a_request_finds_nothing_of_the_one_before_it() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(&host, acme.bundle(test_guest("remembers"))));
    for round in 0..20 {
        let secret = format!("the secret of round {round}");
        // The guest keeps every text, and looks in all of its memory for the first one backwards.
        let backwards: String = secret.chars().rev().collect();
        block_on(model.embed_text(&[&secret])).unwrap();
        let answer = block_on(model.embed_text(&[&backwards])).unwrap();
        assert_eq!(answer.output.values, [1.0, 0.0]);
    }
}

#[test]
fn a_guests_clock_is_coarse_and_its_randomness_fresh() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(
        &host,
        acme.bundle(test_guest("reads_clock_and_random")),
    ));
    let first = block_on(model.embed_text(&["x"])).unwrap().output.values;
    let second = block_on(model.embed_text(&["x"])).unwrap().output.values;
    for step in [first[0], first[1], second[0], second[1]] {
        assert!(step == 0.0 || step >= 1_000_000.0, "a step of {step} ns");
    }
    assert_ne!(first[2], second[2]);
    assert_ne!(first[3], second[3]);
}

// ---- generation

#[test]
fn a_generation_without_end_is_stopped_by_the_chunk_limit() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.chunks = 100;
    let host = host_with_limits(&acme, limits);
    let bundle = acme
        .bundle(test_guest("endless_generation"))
        .tasks(&["text-generation"]);
    let (chunks, error) = block_on(async {
        let model = load(&host, bundle).await;
        let mut generation = model
            .generate(GenerationRequest::question("x", 1_000_000))
            .await
            .unwrap();
        let mut chunks = 0;
        loop {
            match generation.next().await {
                Ok(Some(_)) => chunks += 1,
                Ok(None) => panic!("it never ends"),
                Err(error) => break (chunks, error),
            }
        }
    });
    assert_eq!((chunks, error.code()), (100, "limit.output"));
    assert_serves(&acme, &host);
}

#[test]
fn a_generation_that_blocks_is_stopped_at_the_deadline_of_the_whole() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("generation_blocks"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    let error = block_on(async {
        let model = load(&host, bundle).await;
        let mut generation = model.generate(GenerationRequest::question("x", 10)).await?;
        while generation.next().await?.is_some() {}
        Ok::<(), Error>(())
    });
    assert_eq!(error.unwrap_err().code(), "limit.deadline");
    assert_serves(&acme, &host);
}

#[test]
fn a_generation_that_fails_midway_is_over() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("generation_fails_midway"))
        .tasks(&["text-generation"]);
    block_on(async {
        let model = load(&host, bundle).await;
        let request = GenerationRequest::question("x", 10);
        let mut generation = model.generate(request).await.unwrap();
        for _ in 0..2 {
            assert!(generation.next().await.unwrap().is_some());
        }
        assert_eq!(generation.next().await.unwrap_err().code(), "guest.error");
        // Not `None`: nobody should take the cut answer for a whole one.
        let again = generation.next().await;
        assert_eq!(again.unwrap_err().code(), "usage.generation");
    });
}

#[test]
fn a_giant_chunk_is_refused_and_ends_the_generation() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("generation_giant_chunk"))
        .tasks(&["text-generation"])
        .set("/limits/memory_bytes", json!(256 << 20));
    block_on(async {
        let model = load(&host, bundle).await;
        let mut generation = model
            .generate(GenerationRequest::question("x", 10))
            .await
            .unwrap();
        assert_eq!(generation.next().await.unwrap_err().code(), "limit.output");
        let again = generation.next().await;
        assert_eq!(again.unwrap_err().code(), "usage.generation");
    });
    assert_serves(&acme, &host);
}

#[test]
fn no_more_sandboxes_live_at_once_than_allowed() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.sandboxes = 2;
    let host = host_with_limits(&acme, limits);
    block_on(async {
        let model = load(&host, good(&acme)).await;
        let request = || GenerationRequest::question("a b c", 10);
        let first = model.generate(request()).await.unwrap();
        let _second = model.generate(request()).await.unwrap();
        let third = model.generate(request()).await;
        assert_eq!(third.err().unwrap().code(), "limit.busy");
        drop(first);
        model.generate(request()).await.unwrap();
    });
}

#[test]
fn a_generation_that_nobody_asks_for_more_ends_at_its_deadline() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.sandboxes = 1;
    let host = host_with_limits(&acme, limits);
    let bundle = good(&acme).set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    block_on(async {
        let model = load(&host, bundle).await;
        let request = || GenerationRequest::question("a b c", 10);
        let mut idle = model.generate(request()).await.unwrap();
        assert!(idle.next().await.unwrap().is_some());
        tokio::time::sleep(DEADLINE + SLACK).await;
        // Its place is free although it is still held.
        model.generate(request()).await.unwrap();
        assert_eq!(idle.next().await.unwrap_err().code(), "limit.deadline");
    });
}

#[test]
fn a_generation_goes_on_while_the_queue_is_full() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.queue = 1;
    let host = Host::builder()
        .trust(acme.trust())
        .limits(limits)
        .threads(1)
        .build()
        .unwrap();
    let spinner = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(300));
    block_on(async {
        let (good, spinner) = (load(&host, good(&acme)).await, load(&host, spinner).await);
        let request = GenerationRequest::question("a b c", 10);
        let mut generation = good.generate(request).await.unwrap();
        let waiting = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            spinner.embed_text(&["x"]).await
        };
        let next = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(
                spinner.embed_text(&["x"]).await.unwrap_err().code(),
                "limit.busy"
            );
            generation.next().await.unwrap()
        };
        let (_, _, chunk) = tokio::join!(spinner.embed_text(&["x"]), waiting, next);
        assert!(chunk.is_some());
    });
}

#[test]
fn limits_that_allow_nothing_are_refused() {
    let mut no_queue = Limits::default();
    no_queue.queue = 0;
    let mut no_sandbox = Limits::default();
    no_sandbox.sandboxes = 0;
    for limits in [no_queue, no_sandbox] {
        let error = Host::builder().limits(limits).build().err().unwrap();
        assert_eq!(error.code(), "usage.limits");
    }
}
