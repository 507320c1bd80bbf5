//! Components that are refused before any of their code runs.

use super::*;

#[test]
fn names_in_a_component_cannot_steer_a_terminal() {
    let acme = acme();
    let name = "evil:x/y\u{1b}[2J\n";
    let text = format!("(component (import {name:?} (instance)))")
        .replace("\\u{1b}", "\\1b")
        .replace("\\n", "\\0a");
    let component = wat::parse_str(text).unwrap();
    let error = stopped(&acme, acme.bundle(component));
    assert!(
        !error.to_string().chars().any(char::is_control),
        "{error:?}"
    );
    assert_codes([error], &["admission.import"]);
}

#[test]
fn a_guest_that_imports_sockets_is_refused_with_the_import_named() {
    let acme = acme();
    let error = stopped(&acme, acme.bundle(test_guest("imports_sockets")));
    assert!(error.to_string().contains("wasi:sockets/"), "{error}");
    assert_codes([error], &["admission.import"]);
}

#[test]
fn a_guest_that_imports_http_or_the_unknown_is_refused_with_the_import_named() {
    let acme = acme();
    let guests = [
        ("imports_http", "wasi:http/"),
        ("imports_empty_interface", "/"),
    ];
    assert_codes(
        guests.map(|(guest, import)| {
            let error = stopped(&acme, acme.bundle(wat_guest(guest)));
            assert!(error.to_string().contains(import), "{error}");
            error
        }),
        &["admission.import"],
    );
}

#[test]
fn a_component_that_exports_fewer_tasks_than_declared_is_refused() {
    let acme = acme();
    let guests = [
        // By its names, before it is compiled.
        ("exports_too_few", "declares the task"),
        ("exports_no_lifecycle", "does not export `lifecycle`"),
    ];
    assert_codes(
        guests.map(|(guest, reason)| {
            let error = stopped(&acme, acme.bundle(test_guest(guest)));
            assert!(error.to_string().contains(reason), "{error}");
            error
        }),
        &["admission.task"],
    );
}

#[test]
fn a_component_whose_exports_have_other_types_is_refused_at_load() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme.bundle(wat_guest("exports_other_types")).write();
    let error = block_on(host.load(bundle.path())).err().unwrap();
    assert_codes([error], &["admission.task"]);
}

#[test]
fn a_component_of_many_instances_is_refused() {
    let acme = acme();
    assert_codes(
        [stopped(
            &acme,
            acme.bundle(wat_guest("multiplies_instances")),
        )],
        &["limit.instances"],
    );
}

#[test]
fn a_component_that_exports_more_tasks_than_declared_is_refused() {
    let acme = acme();
    assert_codes(
        [stopped(&acme, acme.bundle(test_guest("exports_extra")))],
        &["admission.task"],
    );
}

#[test]
fn a_manifest_that_asks_for_more_than_the_cap_is_refused_with_both_numbers() {
    let acme = acme();
    let asked = [
        ("/limits/memory_bytes", 513_u64 << 20, "513MiB", "512MiB"),
        ("/limits/deadline_ms", 5_001, "5001 ms", "5000 ms"),
        (
            "/limits/fuel",
            100_000_000_001,
            "100000000001",
            "100000000000",
        ),
        ("/limits/output_bytes", 9 << 20, "9MiB", "8MiB"),
        ("/limits/init/memory_bytes", 2 << 30, "2GiB", "1GiB"),
        ("/limits/init/deadline_ms", 60_001, "60001 ms", "60000 ms"),
        (
            "/limits/init/fuel",
            1_200_000_000_001,
            "1200000000001",
            "1200000000000",
        ),
    ];
    assert_codes(
        asked.map(|(pointer, value, asked, cap)| {
            let error = stopped(&acme, acme.every_task().set(pointer, json!(value)));
            let text = error.to_string();
            assert!(
                text.contains(asked) && text.contains(cap),
                "{pointer}: {text}"
            );
            error
        }),
        &["admission.limit"],
    );
}

#[test]
fn a_capability_that_the_host_does_not_know_is_refused() {
    let acme = acme();
    let bundle = acme
        .every_task()
        .set("/capabilities", json!(["host-kernels", "host-files"]));
    assert_codes([stopped(&acme, bundle)], &["admission.capability"]);
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    let acme = acme();
    let mut cut = test_guest("every_task");
    cut.truncate(cut.len() / 2);
    assert_codes(
        [
            b"not webassembly".to_vec(),
            b"\0asm\x01\0\0\0".to_vec(),
            cut,
        ]
        .map(|component| stopped(&acme, acme.bundle(component))),
        &["compile.failed"],
    );
}

#[test]
fn imports_are_compared_by_semver_track() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(&host, acme.bundle(wat_guest("imports_newer_log")))).unwrap();
    assert_eq!(answer.sandbox.log.messages.len(), 1);
}
