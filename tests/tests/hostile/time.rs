//! Guests that compute, sleep or wait for ever; cancelled requests, and too many requests.

use std::cell::Cell;

use super::*;

#[test]
fn a_guest_that_never_returns_is_stopped_at_its_deadline() {
    let acme = acme();
    let bundle = acme.bundle(test_guest("never_returns"));
    assert_codes(stopped_in_time(&acme, bundle, [1]), &["limit.deadline"]);
}

#[test]
fn a_guest_that_never_returns_is_stopped_when_its_fuel_is_used_up() {
    let acme = acme();
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/fuel", json!(10_000_000));
    let error = stopped(&acme, bundle);
    let Error::Fuel { used, allowed, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(allowed.get(), 10_000_000);
    assert!(used.get() >= 9_999_000 && used <= allowed, "{used}");
    assert_codes([error], &["limit.fuel"]);
}

#[test]
fn a_guest_that_sleeps_is_stopped_at_its_deadline() {
    let acme = acme();
    let bundle = acme.bundle(test_guest("sleeps_past_deadline"));
    assert_codes(stopped_in_time(&acme, bundle, [1]), &["limit.deadline"]);
}

#[test]
fn a_guest_that_fills_and_copies_memory_without_end_is_stopped_at_its_deadline() {
    let acme = acme();
    let bundle = acme.bundle(wat_guest("repeats_bulk_operations"));
    assert_codes(stopped_in_time(&acme, bundle, 1..=3), &["limit.deadline"]);
}

#[test]
fn a_guest_that_fills_and_copies_tables_without_end_is_stopped_at_its_deadline() {
    let acme = acme();
    let bundle = acme.bundle(wat_guest("repeats_bulk_operations"));
    assert_codes(stopped_in_time(&acme, bundle, 4..=6), &["limit.deadline"]);
}

#[test]
fn a_guest_that_calls_the_host_without_end_is_stopped_at_its_deadline() {
    let acme = acme();
    assert_codes(
        stopped_in_time(&acme, acme.bundle(wat_guest("logs_wildly")), [4]),
        &["limit.deadline"],
    );
}

#[test]
fn a_guest_that_spins_in_init_is_stopped_by_the_budget_of_init() {
    let acme = acme();
    let bundle = acme
        .bundle(test_guest("spins_in_init"))
        .set("/limits/init/deadline_ms", json!(DEADLINE.as_millis()));
    let error = stopped(&acme, bundle);
    assert!(matches!(
        error,
        Error::Deadline {
            phase: Phase::Init,
            ..
        }
    ));
    let bundle = acme
        .bundle(test_guest("spins_in_init"))
        .set("/limits/init/fuel", json!(10_000_000));
    assert_codes(
        [error, stopped(&acme, bundle)],
        &["limit.deadline", "limit.fuel"],
    );
}

#[test]
fn there_is_no_way_to_run_guest_code_without_a_deadline() {
    let acme = acme();
    let wat = ["spins_at_start", "spins_in_realloc", "spins_in_post_return"].map(wat_guest);
    let components = wat.into_iter().chain([test_guest("spins_in_describe")]);
    let stop = |component| {
        let bundle = acme
            .bundle(component)
            .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
            .set("/limits/init/deadline_ms", json!(DEADLINE.as_millis()));
        stopped(&acme, bundle)
    };
    assert_codes(
        components.map(stop).collect::<Vec<_>>(),
        &["limit.deadline"],
    );
}

#[test]
fn a_request_that_waits_too_long_expires_in_the_queue() {
    let acme = acme();
    let host = Host::builder()
        .trust(acme.trust())
        .threads(1)
        .build()
        .unwrap();
    let spinner = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(3_000));
    let quick = acme
        .every_task()
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    let spinner = block_on(load(&host, spinner));
    let quick = block_on(load(&host, quick));
    let errors = block_on(async {
        let spun = Cell::new(false);
        let spinning = async {
            let error = spinner.embed_text(&["x"]).await.unwrap_err();
            spun.set(true);
            error
        };
        let waiting = async {
            let error = quick.embed_text(&["x"]).await.unwrap_err();
            assert!(!spun.get(), "it expired only when the thread was free");
            error
        };
        <[Error; 2]>::from(tokio::join!(spinning, waiting))
    });
    assert_codes(errors, &["limit.deadline"]);
}

#[test]
fn a_full_queue_answers_busy_at_once() {
    let acme = acme();
    let host = host_with_a_queue_of_one(&acme);
    let model = block_on(load(&host, acme.bundle(test_guest("never_returns"))));
    let (_running, _waiting, busy) = block_on(fill_the_queue(&model));
    assert_codes([busy], &["limit.busy"]);
}

#[test]
fn a_dropped_request_stops_its_guest() {
    let acme = acme();
    let host = Host::builder()
        .trust(acme.trust())
        .threads(1)
        .build()
        .unwrap();
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(5_000));
    let good = block_on(load(&host, acme.every_task()));
    let spinner = block_on(load(&host, bundle));
    block_on(async {
        let spin = spinner.embed_text(&["x"]);
        let timed = tokio::time::timeout(Duration::from_millis(50), spin).await;
        assert!(timed.is_err());
        // The host has one thread: it answers only if the spinner has left it.
        let began = Instant::now();
        good.embed_text(&["x"]).await.unwrap();
        assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
    });
}
