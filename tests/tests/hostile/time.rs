//! Guests that compute, sleep or wait for ever; requests that nobody wants any more, and too many of them.

use super::*;

#[test]
fn a_guest_that_never_returns_is_stopped_at_its_deadline() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    block_on(async {
        let model = load(&host, bundle).await;
        let began = Instant::now();
        let error = model.embed_text(&["x"]).await.unwrap_err();
        assert_eq!(error.code(), "limit.deadline");
        let took = began.elapsed();
        assert!(took >= DEADLINE && took < DEADLINE + SLACK, "{took:?}");
    });
    assert_serves(&acme, &host);
}

#[test]
fn a_guest_that_never_returns_is_stopped_when_its_fuel_is_used_up() {
    let acme = acme();
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/fuel", json!(10_000_000));
    let error = assert_stopped(&acme, bundle, "limit.fuel");
    let Error::Fuel { used, allowed, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(allowed.get(), 10_000_000);
    assert!(used.get() >= 9_999_000 && used <= allowed, "{used}");
}

#[test]
fn a_guest_that_sleeps_is_stopped_at_its_deadline() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("sleeps_past_deadline"))
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    block_on(async {
        let model = load(&host, bundle).await;
        let began = Instant::now();
        let error = model.embed_text(&["x"]).await.unwrap_err();
        assert_eq!(error.code(), "limit.deadline");
        assert!(began.elapsed() < DEADLINE + SLACK, "{:?}", began.elapsed());
    });
    assert_serves(&acme, &host);
}

#[test]
fn a_guest_that_spins_in_init_is_stopped_by_the_budget_of_init() {
    let acme = acme();
    let bundle = acme
        .bundle(test_guest("spins_in_init"))
        .set("/limits/init/deadline_ms", json!(DEADLINE.as_millis()));
    let error = assert_stopped(&acme, bundle, "limit.deadline");
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
    assert_stopped(&acme, bundle, "limit.fuel");
}

#[test]
fn there_is_no_way_to_run_guest_code_without_a_deadline() {
    let acme = acme();
    let with_deadlines = |component| {
        acme.bundle(component)
            .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
            .set("/limits/init/deadline_ms", json!(DEADLINE.as_millis()))
    };
    for guest in ["spins_at_start", "spins_in_realloc", "spins_in_post_return"] {
        assert_stopped(&acme, with_deadlines(wat_guest(guest)), "limit.deadline");
    }
    let guest = test_guest("spins_in_describe");
    assert_stopped(&acme, with_deadlines(guest), "limit.deadline");
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
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    });
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
        .set("/limits/deadline_ms", json!(1_500));
    let quick = acme
        .every_task()
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    let spinner = block_on(load(&host, spinner));
    let quick = block_on(load(&host, quick));
    block_on(async {
        let began = Instant::now();
        let (spun, waited) = tokio::join!(spinner.embed_text(&["x"]), async {
            let result = quick.embed_text(&["x"]).await;
            (result, began.elapsed())
        });
        assert_eq!(spun.unwrap_err().code(), "limit.deadline");
        let (result, took) = waited;
        assert_eq!(result.unwrap_err().code(), "limit.deadline");
        assert!(took < DEADLINE + SLACK, "{took:?}");
    });
}

#[test]
fn a_full_queue_answers_busy_at_once() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.queue = 1;
    let host = Host::builder()
        .trust(acme.trust())
        .limits(limits)
        .threads(1)
        .build()
        .unwrap();
    let bundle = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(500));
    let model = block_on(load(&host, bundle));
    block_on(async {
        let busy = async {
            // Once the first runs and the second waits, there is no room for a third.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let began = Instant::now();
            let error = model.embed_text(&["x"]).await.unwrap_err();
            assert_eq!(error.code(), "limit.busy");
            assert!(began.elapsed() < Duration::from_millis(100));
        };
        let later = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            model.embed_text(&["x"]).await
        };
        let _ = tokio::join!(model.embed_text(&["x"]), later, busy);
    });
}
