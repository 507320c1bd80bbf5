//! Components that would take gigabytes to unfold are refused in the memory that their bytes take.
//!
//! One test alone in its file: it measures the whole process.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use ampoule_tests::{
    Publisher, block_on, host_trusting, peak_resident_bytes, reset_peak_resident_bytes,
    wat_guest_with,
};
use serde_json::json;

/// What the host may grow by at any time while it refuses one of them.
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
    // What loading an ordinary model takes once is not what is measured.
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
}
