//! Guests that take memory or stack without end.

use super::*;

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
