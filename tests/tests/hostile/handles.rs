//! Handles: of what the host keeps for a guest, and of the generation that a guest gives away.

use super::*;

/// How `abuses_generations` misbehaves for each `max-output-tokens`.
fn generations<'p>(publisher: &'p Publisher) -> BundleBuilder<'p> {
    publisher
        .bundle(wat_guest("abuses_generations"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
}

/// What each of these gets in `generate` or in the first `next`.
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

promises! {
    #[test]
    fn a_handle_that_is_dropped_twice_or_used_after_it_is_a_trap() => "guest.trap" {
        let acme = acme();
        stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [1, 3])
    }

    #[test]
    fn a_handle_that_a_guest_made_up_is_a_trap() => "guest.trap" {
        let acme = acme();
        stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [2])
    }

    #[test]
    fn a_guest_that_takes_handles_of_the_host_without_end_is_stopped() => "guest.trap" {
        let acme = acme();
        let errors = stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [4]);
        // By the host's own bound, which comes before that on all handles.
        let text = errors[0].to_string();
        assert!(text.contains("resource table"), "{text}");
        errors
    }

    #[test]
    fn to_wait_for_nothing_is_a_trap() => "guest.trap" {
        let acme = acme();
        stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [6])
    }

    #[test]
    fn to_wait_for_a_million_things_is_refused() => "limit.output" {
        let acme = acme();
        stopped_at_each(&acme, acme.bundle(wat_guest("abuses_pollables")), [7])
    }

    #[test]
    fn to_wait_until_the_end_of_time_ends_at_the_deadline() => "limit.deadline" {
        let acme = acme();
        stopped_in_time(&acme, acme.bundle(wat_guest("abuses_pollables")), [5])
    }

    #[test]
    fn to_wait_for_what_is_ready_without_end_ends_at_the_deadline() => "limit.deadline" {
        let acme = acme();
        stopped_in_time(&acme, acme.bundle(wat_guest("abuses_pollables")), [8])
    }

    #[test]
    fn a_generation_that_the_guest_has_dropped_or_made_up_is_a_trap() => "guest.trap" {
        let acme = acme();
        generation_stopped(&acme, generations(&acme), [1, 2])
    }

    #[test]
    fn a_guest_that_makes_generations_without_end_is_stopped() => "guest.trap" {
        let acme = acme();
        // Enough for the handles that it may have, and not for a hundred times as many.
        let little = generations(&acme).set("/limits/fuel", json!(200_000));
        generation_stopped(&acme, little, [3])
    }

    #[test]
    fn a_generation_that_was_given_away_is_no_longer_the_guests() => "guest.trap" {
        let acme = acme();
        generation_stopped(&acme, generations(&acme), [6, 7])
    }

    #[test]
    fn a_destructor_that_traps_is_a_trap() => "guest.trap" {
        let acme = acme();
        generation_stopped(&acme, generations(&acme), [5])
    }

    #[test]
    fn a_chunk_that_cannot_be_read_is_a_trap() => "guest.trap" {
        let acme = acme();
        generation_stopped(&acme, generations(&acme), 8..=10)
    }

    #[test]
    fn a_generation_that_crashes_is_told_as_a_trap() => "guest.trap" {
        let acme = acme();
        generation_stopped(&acme, generations(&acme), [11])
    }

    #[test]
    fn a_generation_that_does_not_begin_is_stopped_at_its_deadline() => "limit.deadline" {
        let acme = acme();
        generation_stopped(&acme, generations(&acme), [4])
    }

    #[test]
    fn a_chunk_has_the_fuel_the_stack_and_the_memory_of_its_request()
        => "limit.fuel", "limit.stack", "limit.memory" {
        let acme = acme();
        let little = generations(&acme).set("/limits/fuel", json!(1_000_000));
        generation_stopped(&acme, little, 12..=14)
    }
}

#[test]
fn a_destructor_that_never_returns_delays_nobody() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.sandboxes = 1;
    let host = host_with_limits(&acme, limits);
    block_on(async {
        let model = load(&host, generations(&acme)).await;
        for _ in 0..3 {
            let request = GenerationRequest::question("x", 15);
            let mut generation = model.generate(request).await.unwrap();
            assert_eq!(generation.next().await.unwrap().unwrap().text, "abc");
            let began = Instant::now();
            drop(generation);
            assert!(began.elapsed() < DEADLINE / 4, "{:?}", began.elapsed());
        }
    });
    assert_serves(&acme, &host);
}
