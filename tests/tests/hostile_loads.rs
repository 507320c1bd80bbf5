//! Components that would take gigabytes to unfold, or to read, are refused within the memory of their own bytes, or
//! of their manifest.
//!
//! One test alone in its file: it measures the whole process.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ampoule::{ByteSize, Fuel, Host, Limits, inspect};
use ampoule_signing::pack_directory;
use ampoule_tests::{
    Publisher, block_on, host_trusting, host_with_limits, peak_resident_bytes,
    reset_peak_resident_bytes, wat_guest_with,
};
use serde_json::json;

/// Growth of the host that is allowed at any time while it refuses one of them.
const ALLOWED_GROWTH: u64 = 16 << 20;

#[test]
fn what_is_refused_for_its_shape_takes_no_memory() {
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    let load = |more: &str| {
        let bundle = acme
            .bundle(wat_guest_with("grows_page_by_page", more))
            .set("/limits/init/memory_bytes", json!(1 << 30))
            .write();
        reset_peak_resident_bytes();
        let before = peak_resident_bytes();
        let error = block_on(host.load(bundle.path())).err();
        let grown = peak_resident_bytes().saturating_sub(before);
        (error.map(|error| error.code().to_owned()), grown)
    };
    // The memory that any first load takes is not measured.
    assert_eq!(load("").0, None);

    // Five hundred megabytes of which two bytes are said, and three of them.
    let giant = r#"(core module (memory 8000)
        (data (i32.const 0) "a") (data (i32.const 524287999) "z"))"#;
    let functions = format!("(core module {})", "(func)".repeat(45_000));
    let ten = "(instance (instantiate $c))".repeat(10);
    let thousand = format!("(component $c (component $c (component $c) {ten}) {ten}) {ten}");
    for (what, more, code) in [
        ("memories", giant.repeat(3), "limit.memory"),
        ("functions", functions.repeat(3), "admission.limit"),
        ("instances", thousand, "admission.limit"),
    ] {
        let (found, grown) = load(&more);
        println!("{what}: {} KiB", grown / 1024);
        assert_eq!(found.as_deref(), Some(code), "{what}");
        assert!(
            grown <= ALLOWED_GROWTH,
            "refusing {what} took {grown} bytes"
        );
    }
    assert_giant_component_is_not_read(&acme, &host);
    assert_what_the_manifest_says_comes_first(&acme);
}

/// Makes a component of 2 GiB, rightly signed as far as its first bytes tell.
fn assert_giant_component_is_not_read(acme: &Publisher, host: &Host) {
    const GIANT: u64 = 2 << 30;
    const CHUNK: u64 = 4 << 20;
    let digests = vec!["0".repeat(64); usize::try_from(GIANT / CHUNK).unwrap()];
    let entry = json!({
        "path": "component.wasm",
        "size": GIANT,
        "digest": { "sha256_chunks": { "chunk_size": CHUNK, "digests": digests } },
    });
    let bundle = acme.every_task().set("/component", entry).write();
    let file = File::options()
        .write(true)
        .open(bundle.path().join("component.wasm"));
    file.unwrap().set_len(GIANT).unwrap();

    reset_peak_resident_bytes();
    let (before, began) = (peak_resident_bytes(), Instant::now());
    let loaded = block_on(host.load(bundle.path())).err().unwrap();
    let inspected = inspect(bundle.path(), &acme.trust(), host.limits()).unwrap();
    let grown = peak_resident_bytes().saturating_sub(before);
    println!(
        "a component of 2 GiB: {} KiB, {:?}",
        grown / 1024,
        began.elapsed()
    );
    for error in [loaded, inspected.verdict.unwrap_err()] {
        assert_eq!(error.code(), "admission.limit", "{error}");
        assert!(error.to_string().contains("64MiB"), "{error}");
    }
    assert!(grown <= ALLOWED_GROWTH, "refusing it took {grown} bytes");
    assert!(began.elapsed() < Duration::from_secs(2));
}

/// Each bundle's component was changed after signing, which only a reader of the component would find.
fn assert_what_the_manifest_says_comes_first(acme: &Publisher) {
    let strict = |change: &dyn Fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        host_with_limits(acme, limits)
    };
    let spoil = |file: &Path, at: u64| {
        let file = File::options().write(true).open(file).unwrap();
        file.write_all_at(b"spoiled", at).unwrap();
    };
    let directory = acme.every_task().write();
    spoil(&directory.path().join("component.wasm"), 1_000);
    let good = acme.every_task().write();
    let packed = good.path().with_extension("ampoule");
    pack_directory(good.path(), &packed).unwrap();
    let middle = std::fs::metadata(&packed).unwrap().len() / 2;
    spoil(&packed, middle);
    for (what, host, code) in [
        (
            "component",
            strict(&|limits| limits.component = ByteSize::from_bytes(1_000)),
            "admission.limit",
        ),
        (
            "memory",
            strict(&|limits| limits.memory = ByteSize::from_mib(1)),
            "admission.limit",
        ),
        (
            "init",
            strict(&|limits| limits.init.fuel = Fuel::new(1_000)),
            "admission.limit",
        ),
        (
            "bundle",
            strict(&|limits| limits.bundle = ByteSize::from_bytes(1_000)),
            "file.too-large",
        ),
        ("nothing", host_trusting(acme), "file.digest"),
    ] {
        for path in [directory.path(), &packed] {
            let error = block_on(host.load(path)).err().unwrap();
            assert_eq!(error.code(), code, "{what}: {error}");
            let verdict = inspect(path, &acme.trust(), host.limits()).unwrap().verdict;
            assert_eq!(verdict.unwrap_err().code(), code, "{what}");
        }
    }
    std::fs::remove_file(packed).unwrap();
    // Tasks and capabilities are of the manifest as well.
    for (what, value, code) in [
        (
            "/tasks",
            json!(["text-embedding", "fortune-telling"]),
            "admission.task",
        ),
        (
            "/capabilities",
            json!(["time-travel"]),
            "admission.capability",
        ),
    ] {
        let bundle = acme.every_task().set(what, value).write();
        spoil(&bundle.path().join("component.wasm"), 1_000);
        let error = block_on(host_trusting(acme).load(bundle.path()))
            .err()
            .unwrap();
        assert_eq!(error.code(), code, "{what}: {error}");
    }
}
