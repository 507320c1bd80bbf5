//! Guests that take memory or stack without end.

use super::*;

#[test]
fn a_guest_that_allocates_without_end_is_stopped_with_both_numbers() {
    let acme = acme();
    let error = stopped(&acme, acme.bundle(test_guest("allocates_without_end")));
    let Error::Memory { asked, allowed, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(allowed.bytes(), 64 << 20);
    assert!(asked > allowed);
    assert_codes([error], &["limit.memory"]);
}

#[test]
fn a_guest_that_grows_many_tables_is_stopped() {
    let acme = acme();
    assert_codes(
        [stopped(&acme, acme.bundle(wat_guest("grows_many_tables")))],
        &["limit.memory"],
    );
}

#[test]
fn a_guest_that_grows_many_memories_is_stopped() {
    let acme = acme();
    assert_codes(
        [stopped(
            &acme,
            acme.bundle(wat_guest("grows_many_memories")),
        )],
        &["limit.memory"],
    );
}

#[test]
fn a_guest_that_grows_page_by_page_is_stopped_one_page_above_its_limit() {
    let acme = acme();
    let error = stopped(&acme, acme.bundle(wat_guest("grows_page_by_page")));
    let Error::Memory { asked, allowed, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(asked.bytes() - allowed.bytes(), 64 << 10);
    assert_codes([error], &["limit.memory"]);
}

#[test]
fn a_guest_that_allocates_without_end_in_init_is_stopped() {
    let acme = acme();
    let error = stopped(&acme, acme.bundle(test_guest("allocates_in_init")));
    assert!(matches!(
        error,
        Error::Memory {
            phase: Phase::Init,
            ..
        }
    ));
    assert_codes([error], &["limit.memory"]);
}

#[test]
fn what_a_component_starts_with_counts_too() {
    let acme = acme();
    assert_codes(
        ["starts_with_giant_memory", "starts_with_giant_table"]
            .map(|guest| stopped(&acme, acme.bundle(wat_guest(guest)))),
        &["limit.memory"],
    );
}

#[test]
fn a_guest_that_recurses_without_end_is_stopped() {
    let acme = acme();
    assert_codes(
        [stopped(
            &acme,
            acme.bundle(test_guest("recurses_without_end")),
        )],
        &["limit.stack"],
    );
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
