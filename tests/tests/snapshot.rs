//! `init` runs once, and every request begins where it ended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ampoule::{
    Answer, ByteSize, CodeCache, CodeOrigin, Error, Host, Limits, Model, Phase, SandboxStart,
    TextEmbeddings,
};
use ampoule_tests::{
    BundleBuilder, CacheDirectory, Operator, Publisher, block_on, host_trusting, json_of,
    test_guest, wat_guest,
};
use serde_json::json;

fn acme() -> Publisher {
    Publisher::new("acme")
}

fn load(host: &Host, bundle: BundleBuilder<'_>) -> Model {
    try_load(host, bundle).unwrap()
}

fn try_load(host: &Host, bundle: BundleBuilder<'_>) -> ampoule::Result<Model> {
    let bundle = bundle.write();
    block_on(host.load(bundle.path()))
}

fn ask(model: &Model) -> Answer<TextEmbeddings> {
    block_on(model.embed_text(&["x"])).unwrap()
}

fn values(model: &Model) -> Vec<f32> {
    ask(model).output.values
}

#[track_caller]
fn reason_for_cold(model: &Model) -> &str {
    let SandboxStart::Cold { reason } = model.sandbox_start() else {
        panic!("{:?}", model.sandbox_start());
    };
    assert!(model.init_report().is_none());
    reason
}

fn has_snapshot(model: &Model) -> bool {
    matches!(model.sandbox_start(), SandboxStart::Snapshot { .. })
}

#[test]
fn init_runs_once_when_the_model_is_loaded_and_never_for_a_request() {
    let acme = acme();
    let model = load(&host_trusting(&acme), acme.bundle(test_guest("prepares")));
    assert!(has_snapshot(&model));
    let init = model.init_report().unwrap();
    let said: Vec<_> = init.log.messages.iter().map(|said| &said.text).collect();
    assert_eq!(said, ["init ran"]);
    assert!(init.fuel.get() > 0 && init.peak_memory.bytes() > 0);
    for _ in 0..20 {
        let answer = ask(&model);
        assert_eq!(answer.output.values[..2], [1.0, 1.0]);
        assert!(answer.sandbox.log.messages.is_empty());
        assert!(answer.sandbox.start_fuel.get() * 100 < init.fuel.get());
    }
}

#[test]
fn what_init_drew_is_shared_and_what_a_request_draws_is_not() {
    let acme = acme();
    let model = load(&host_trusting(&acme), acme.bundle(test_guest("prepares")));
    let answers: Vec<_> = (0..20).map(|_| values(&model)).collect();
    let different = |index: usize| {
        let values: HashSet<_> = answers.iter().map(|values| values[index] as u64).collect();
        values.len()
    };
    assert_eq!(different(3), 1);
    // Two of 20 numbers of 24 bits are the same once in 88,000 runs.
    assert!(different(4) >= 19, "{}", different(4));
}

#[test]
fn a_thousand_sandboxes_in_the_same_place_find_nothing_of_the_one_before() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.sandboxes = 1;
    let host = Host::builder()
        .trust(acme.trust())
        .limits(limits)
        .threads(1)
        .build()
        .unwrap();
    let model = load(&host, acme.bundle(test_guest("hoards_secrets")));
    // Another model takes the place now and then, and finds nothing there either.
    let another = acme.bundle(test_guest("hoards_secrets"));
    let another = load(&host, another.file("data.bin", vec![0]));
    assert!(has_snapshot(&model) && has_snapshot(&another));
    for round in 0..1_000 {
        let model = if round % 10 == 9 { &another } else { &model };
        let found = values(model);
        assert_eq!(found[0], 0.0, "round {round}");
        // More than a mebibyte: written pages could have been found.
        assert!(found[1] > 200_000.0, "round {round}: {found:?}");
    }
}

#[test]
fn a_component_that_changes_its_tables_starts_cold_and_answers_rightly() {
    let operator = Operator::new();
    let acme = operator.publisher();
    let host = host_trusting(acme);
    let bundle = acme.bundle(wat_guest("sets_a_table")).write();
    let model = block_on(host.load(bundle.path())).unwrap();
    let reason = reason_for_cold(&model);
    assert!(reason.contains("table.set"), "{reason}");
    for _ in 0..3 {
        let answer = ask(&model);
        assert_eq!(answer.output.values, [1.0]);
        assert!(answer.sandbox.start_fuel.get() > 0, "`init` ran in it");
    }
    let inspect = operator
        .ampoule(&["inspect", "--json"])
        .arg(bundle.path())
        .output()
        .unwrap();
    let document = json_of(&inspect);
    assert_eq!(document["start"], "cold");
    assert_eq!(document["start_reason"], reason);
    let text = operator
        .ampoule(&["inspect"])
        .arg(bundle.path())
        .output()
        .unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("cold: ") && text.contains("table.set"),
        "{text}"
    );

    let grows = load(&host, acme.bundle(wat_guest("grows_many_tables")));
    let reason = reason_for_cold(&grows);
    assert!(reason.contains("table.grow"), "{reason}");
}

#[test]
fn a_model_that_keeps_something_of_the_hosts_open_starts_cold_and_answers_rightly() {
    let acme = acme();
    let cache = CacheDirectory::new();
    let bundle = acme
        .bundle(test_guest("keeps_a_pollable"))
        .file("data.bin", vec![7])
        .write();
    let load = || {
        let host = Host::builder()
            .trust(acme.trust())
            .code_cache(CodeCache::in_directory(cache.path()))
            .build()
            .unwrap();
        block_on(host.load(bundle.path()))
    };
    for origin in [CodeOrigin::Compiled, CodeOrigin::Cached] {
        let model = load().unwrap();
        assert_eq!(model.code_origin(), origin);
        let reason = reason_for_cold(&model);
        assert!(reason.contains("open"), "{reason}");
        for _ in 0..3 {
            // Each sandbox reads the file in its `init`, and cannot afterwards.
            assert_eq!(values(&model), [1.0, 7.0, 0.0]);
        }
    }
    // Since each does, the file has to be the one that was signed also where the code is kept.
    std::fs::write(bundle.path().join("data.bin"), [8]).unwrap();
    let error = load().map(drop).unwrap_err();
    assert_eq!(error.code(), "file.digest");
}

#[test]
fn the_files_are_closed_once_the_snapshot_is_taken() {
    let acme = acme();
    let bundle = acme.bundle(test_guest("assets_outside_init"));
    let model = load(
        &host_trusting(&acme),
        bundle.file("data.bin", (0..=255).collect()),
    );
    assert!(has_snapshot(&model));
    let error = block_on(model.embed_text(&["x"])).unwrap_err();
    assert!(error.to_string().contains("asset.closed"), "{error}");
}

#[test]
fn a_snapshot_larger_than_a_requests_memory_is_refused() {
    const MIB: u64 = 1 << 20;
    let acme = acme();
    let host = host_trusting(&acme);
    let of = |size: u64| {
        acme.bundle(test_guest("prepares"))
            .file("data.bin", vec![1; size as usize])
            .set("/limits/memory_bytes", json!(6 * MIB))
    };
    let model = load(&host, of(2 * MIB));
    assert_eq!(values(&model)[2], (2 * MIB) as f32);
    let SandboxStart::Snapshot { memory } = model.sandbox_start() else {
        panic!("{:?}", model.sandbox_start());
    };
    assert!((2 * MIB..6 * MIB).contains(&memory.bytes()), "{memory}");
    let report = ask(&model).sandbox;
    assert!(report.peak_memory >= *memory, "it counts for each request");

    let error = try_load(&host, of(8 * MIB)).map(drop).unwrap_err();
    let Error::Memory { asked, allowed, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(error.code(), "limit.memory");
    assert!(asked.bytes() > 8 * MIB && *allowed == ByteSize::from_mib(6));
}

#[test]
fn an_init_that_fails_says_why_each_time_and_is_not_kept() {
    let acme = acme();
    let cache = CacheDirectory::new();
    let bundles = [
        ("fails_in_init", "/limits/fuel", 1_000_000, "guest.error"),
        ("panics_in_init", "/limits/fuel", 1_000_000, "guest.trap"),
        (
            "spins_in_init",
            "/limits/init/deadline_ms",
            200,
            "limit.deadline",
        ),
        (
            "spins_in_init",
            "/limits/init/fuel",
            1_000_000,
            "limit.fuel",
        ),
        (
            "allocates_in_init",
            "/limits/init/memory_bytes",
            8 << 20,
            "limit.memory",
        ),
    ];
    for (guest, pointer, value, code) in bundles {
        let bundle = acme.bundle(test_guest(guest)).set(pointer, json!(value));
        let bundle = bundle.write();
        for _ in 0..2 {
            let host = Host::builder()
                .trust(acme.trust())
                .code_cache(CodeCache::in_directory(cache.path()))
                .build()
                .unwrap();
            let error = block_on(host.load(bundle.path())).map(drop).unwrap_err();
            assert_eq!(error.code(), code, "{guest}: {error}");
            if let Error::Deadline { phase, .. } | Error::Fuel { phase, .. } = &error {
                assert_eq!(*phase, Phase::Init);
            }
            let good = load(&host, acme.bundle(test_guest("prepares")));
            assert_eq!(values(&good)[..2], [1.0, 1.0]);
        }
    }
    assert_eq!(cache.entries().len(), 1, "that of the good model");
}

#[test]
fn a_component_of_many_memories_has_a_snapshot_of_them_all() {
    let acme = acme();
    let model = load(
        &host_trusting(&acme),
        acme.bundle(wat_guest("writes_eight_memories"))
            .set("/limits/init/memory_bytes", json!(8 * 65_536)),
    );
    let SandboxStart::Snapshot { memory } = model.sandbox_start() else {
        panic!("{:?}", model.sandbox_start());
    };
    assert_eq!(memory.bytes(), 8 * 65_536);
    let init = model.init_report().unwrap();
    assert_eq!(init.peak_memory, *memory);
    assert_eq!(values(&model), [8.0]);
}

#[test]
fn a_load_that_nobody_waits_for_any_more_stops_its_init() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("spins_in_init"))
        .set("/limits/init/deadline_ms", json!(60_000))
        .set("/limits/init/fuel", json!(1_000_000_000_000_u64))
        .write();
    let began = Instant::now();
    block_on(async {
        let load = host.load(bundle.path());
        let patience = tokio::time::timeout(Duration::from_millis(500), load);
        assert!(patience.await.is_err());
    });
    while is_building() {
        assert!(began.elapsed() < Duration::from_secs(30), "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Tells whether the clock of a build ticks in this process. The clocks of other tests stop within seconds.
fn is_building() -> bool {
    std::fs::read_dir("/proc/self/task").unwrap().any(|task| {
        let name = task.unwrap().path().join("comm");
        // The system keeps 15 bytes of a thread's name.
        std::fs::read_to_string(name).is_ok_and(|name| name.trim() == "ampoule-build-c")
    })
}
