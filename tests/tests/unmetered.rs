//! Metering: the uses of fuel, and the unmetered profile, against which the cost of metering is measured.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use ampoule::{EngineProfile, Host};
use ampoule_tests::{Publisher, block_on, test_guest, wat_guest};
use serde_json::json;

fn host(publisher: &Publisher, profile: EngineProfile) -> Host {
    Host::builder()
        .trust(publisher.trust())
        .profile(profile)
        .build()
        .unwrap()
}

#[test]
fn the_same_answer_comes_without_fuel_where_nothing_is_metered() {
    let acme = Publisher::new("acme");
    let bundle = acme.bundle(test_guest("prepares")).write();
    let [metered, unmetered] = [EngineProfile::Metered, EngineProfile::Unmetered].map(|profile| {
        let host = host(&acme, profile);
        let model = block_on(host.load(bundle.path())).unwrap();
        let init = model.init_report().unwrap().fuel;
        assert!(init.get() > 0, "`init` is metered whatever the profile");
        block_on(model.embed_text(&["x"])).unwrap()
    });
    assert_eq!(metered.output.values[..3], unmetered.output.values[..3]);
    assert!(metered.sandbox.fuel.get() > 0 && metered.sandbox.start_fuel.get() > 0);
    assert_eq!(unmetered.sandbox.fuel.get(), 0);
    assert_eq!(unmetered.sandbox.start_fuel.get(), 0);
}

/// Fuel pays for operators, and for the bytes that some of them move.
#[test]
fn each_byte_and_each_element_that_is_moved_in_bulk_costs_a_unit_of_fuel() {
    let acme = Publisher::new("acme");
    let bundle = acme.bundle(wat_guest("moves_in_bulk")).write();
    let host = host(&acme, EngineProfile::Metered);
    let model = block_on(host.load(bundle.path())).unwrap();
    let fuel = |length: usize| {
        let answer = block_on(model.embed_text(&["x".repeat(length)])).unwrap();
        answer.sandbox.fuel.get()
    };
    let nothing = fuel(1);
    for (what, length, moved) in [
        ("memory.fill", 2, 1_000_000),
        ("memory.copy", 3, 1_000_000),
        ("memory.init", 4, 400),
        ("table.fill", 5, 10_000),
        ("table.copy", 6, 10_000),
        ("table.init", 7, 40),
        ("table.grow", 8, 10_000),
    ] {
        let used = fuel(length) - nothing;
        // The operators around it are a few.
        assert!(used >= moved && used < moved + 20, "{what}: {used}");
    }
}

#[test]
fn init_is_stopped_where_nothing_else_is_metered() {
    let acme = Publisher::new("acme");
    let bundle = acme
        .bundle(test_guest("spins_in_init"))
        .set("/limits/init/deadline_ms", json!(200))
        .write();
    let host = host(&acme, EngineProfile::Unmetered);
    let error = block_on(host.load(bundle.path())).err().unwrap();
    assert_eq!(error.code(), "limit.deadline");
}
