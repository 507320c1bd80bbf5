//! Breaches of the canonical ABI: wild pointers, texts that are not UTF-8, cases that do not exist,
//! allocators that fail, calls out of turn.

use super::*;

#[test]
fn a_list_of_more_bytes_than_can_be_addressed_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("answers_wildly")), [1, 2]),
        &["guest.trap"],
    );
}

#[test]
fn a_list_that_is_unaligned_or_ends_beyond_memory_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("answers_wildly")), 3..=5),
        &["guest.trap"],
    );
}

#[test]
fn an_error_that_is_no_utf8_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("answers_wildly")), 6..=8),
        &["guest.trap"],
    );
}

#[test]
fn a_case_that_does_not_exist_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("answers_wildly")), [9]),
        &["guest.trap"],
    );
}

#[test]
fn a_description_that_is_no_utf8_is_a_trap_at_load() {
    let acme = acme();
    assert_codes(
        [stopped(
            &acme,
            acme.bundle(wat_guest("describes_itself_without_text")),
        )],
        &["guest.trap"],
    );
}

#[test]
fn a_description_whose_parts_overlap_is_counted_as_often_as_it_is_there() {
    let acme = acme();
    assert_codes(
        [stopped(
            &acme,
            acme.bundle(wat_guest("describes_itself_overlapping")),
        )],
        &["limit.output"],
    );
}

#[test]
fn an_allocator_that_traps_or_invents_a_block_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("fails_in_realloc")), 1..=3),
        &["guest.trap"],
    );
}

#[test]
fn an_allocator_that_takes_stack_or_memory_without_end_is_stopped() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("fails_in_realloc")), [4, 5]),
        &["limit.stack", "limit.memory"],
    );
}

#[test]
fn an_argument_of_an_import_that_cannot_be_read_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("logs_wildly")), 1..=3),
        &["guest.trap"],
    );
}

#[test]
fn a_call_of_the_host_in_the_middle_of_another_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("calls_out_of_turn")), [1, 2]),
        &["guest.trap"],
    );
}

#[test]
fn a_component_that_is_running_is_not_entered_again() {
    let acme = acme();
    assert_codes(
        [stopped(&acme, acme.bundle(wat_guest("calls_itself")))],
        &["guest.trap"],
    );
}

#[test]
fn lists_that_are_the_same_bytes_are_read_as_what_they_are() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme.bundle(wat_guest("answers_wildly"));
    let answer = block_on(ask_with(&host, bundle, &["x"; 10])).unwrap();
    assert_eq!(answer.output.truncated.len(), 10);
    assert_eq!(answer.output.values.len(), 10);
}
