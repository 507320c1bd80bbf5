//! Handles: of resources that the host keeps for a guest, and of the generation that a guest gives away.

use super::*;

/// The ways in which `abuses_generations` misbehaves, one for each `max-output-tokens`.
fn generations<'p>(publisher: &'p Publisher) -> BundleBuilder<'p> {
    publisher
        .bundle(wat_guest("abuses_generations"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
}

/// Returns the error of each way, from `generate` or from the first `next`.
fn generation_stopped(
    publisher: &Publisher,
    bundle: BundleBuilder<'_>,
    modes: impl IntoIterator<Item = u32>,
) -> Vec<Error> {
    let host = host_trusting(publisher);
    let errors = block_on(async {
        let model = load(&host, bundle).await;
        let mut errors = Vec::new();
        for mode in modes {
            let generated = async {
                let request = GenerationRequest::question("x", mode);
                model.generate(request).await?.next().await
            };
            let stopped = generated.await.err();
            errors.push(stopped.unwrap_or_else(|| panic!("{mode}: it must be stopped")));
        }
        errors
    });
    assert_serves(publisher, &host);
    errors
}

#[test]
fn a_handle_that_is_dropped_twice_or_used_after_it_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [1, 3]),
        &["guest.trap"],
    );
}

#[test]
fn a_handle_that_a_guest_made_up_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [2]),
        &["guest.trap"],
    );
}

#[test]
fn a_guest_that_takes_handles_of_the_host_without_end_is_stopped() {
    let acme = acme();
    let errors = stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [4]);
    // By the host's own bound, which comes before that on all handles.
    let text = errors[0].to_string();
    assert!(text.contains("resource table"), "{text}");
    assert_codes(errors, &["guest.trap"]);
}

#[test]
fn to_wait_for_nothing_is_a_trap() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [6]),
        &["guest.trap"],
    );
}

#[test]
fn to_wait_for_a_million_things_is_refused() {
    let acme = acme();
    assert_codes(
        stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [7]),
        &["limit.output"],
    );
}

#[test]
fn to_wait_until_the_end_of_time_ends_at_the_deadline() {
    let acme = acme();
    assert_codes(
        stopped_in_time(&acme, acme.bundle(wat_guest("abuses_pollables")), [5]),
        &["limit.deadline"],
    );
}

#[test]
fn to_wait_for_what_is_ready_without_end_ends_at_the_deadline() {
    let acme = acme();
    assert_codes(
        stopped_in_time(&acme, acme.bundle(wat_guest("abuses_pollables")), [8]),
        &["limit.deadline"],
    );
}

#[test]
fn a_generation_that_the_guest_has_dropped_or_made_up_is_a_trap() {
    let acme = acme();
    assert_codes(
        generation_stopped(&acme, generations(&acme), [1, 2]),
        &["guest.trap"],
    );
}

#[test]
fn a_guest_that_makes_generations_without_end_is_stopped() {
    let acme = acme();
    // Enough for the handles that it may have, and not for a hundred times as many.
    let little = generations(&acme).set("/limits/fuel", json!(200_000));
    assert_codes(generation_stopped(&acme, little, [3]), &["guest.trap"]);
}

#[test]
fn a_generation_that_was_given_away_is_no_longer_the_guests() {
    let acme = acme();
    assert_codes(
        generation_stopped(&acme, generations(&acme), [6, 7]),
        &["guest.trap"],
    );
}

#[test]
fn a_destructor_that_traps_is_a_trap() {
    let acme = acme();
    assert_codes(
        generation_stopped(&acme, generations(&acme), [5]),
        &["guest.trap"],
    );
}

#[test]
fn a_chunk_that_cannot_be_read_is_a_trap() {
    let acme = acme();
    assert_codes(
        generation_stopped(&acme, generations(&acme), 8..=10),
        &["guest.trap"],
    );
}

#[test]
fn a_generation_that_crashes_is_told_as_a_trap() {
    let acme = acme();
    assert_codes(
        generation_stopped(&acme, generations(&acme), [11]),
        &["guest.trap"],
    );
}

#[test]
fn a_generation_that_does_not_begin_is_stopped_at_its_deadline() {
    let acme = acme();
    assert_codes(
        generation_stopped(&acme, generations(&acme), [4]),
        &["limit.deadline"],
    );
}

#[test]
fn a_chunk_has_the_fuel_the_stack_and_the_memory_of_its_request() {
    let acme = acme();
    let little = generations(&acme).set("/limits/fuel", json!(1_000_000));
    assert_codes(
        generation_stopped(&acme, little, 12..=14),
        &["limit.fuel", "limit.stack", "limit.memory"],
    );
}

#[test]
fn a_destructor_that_never_returns_delays_nobody() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.sandboxes = 1;
    let host = host_with_limits(&acme, limits);
    block_on(async {
        let slow = generations(&acme).set("/limits/deadline_ms", json!(4_000));
        let model = load(&host, slow).await;
        for _ in 0..3 {
            let request = GenerationRequest::question("x", 15);
            let mut generation = model.generate(request).await.unwrap();
            assert_eq!(generation.next().await.unwrap().unwrap().text, "abc");
            let began = Instant::now();
            drop(generation);
            // The destructor would take all of the guest's time.
            assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
        }
    });
    assert_serves(&acme, &host);
}
