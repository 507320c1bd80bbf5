//! Guests that compute, sleep or wait for ever; requests that nobody wants any more, and too many of them.

use super::*;

promises! {
    #[test]
    fn a_guest_that_never_returns_is_stopped_at_its_deadline() => "limit.deadline" {
        let acme = acme();
        let bundle = acme.bundle(test_guest("never_returns"));
        stopped_in_time(&acme, bundle, [1])
    }

    #[test]
    fn a_guest_that_never_returns_is_stopped_when_its_fuel_is_used_up() => "limit.fuel" {
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
        [error]
    }

    #[test]
    fn a_guest_that_sleeps_is_stopped_at_its_deadline() => "limit.deadline" {
        let acme = acme();
        let bundle = acme.bundle(test_guest("sleeps_past_deadline"));
        stopped_in_time(&acme, bundle, [1])
    }

    #[test]
    fn a_guest_that_fills_and_copies_memory_without_end_is_stopped_at_its_deadline()
        => "limit.deadline" {
        let acme = acme();
        let bundle = acme.bundle(wat_guest("repeats_bulk_operations"));
        stopped_in_time(&acme, bundle, 1..=3)
    }

    #[test]
    fn a_guest_that_fills_and_copies_tables_without_end_is_stopped_at_its_deadline()
        => "limit.deadline" {
        let acme = acme();
        let bundle = acme.bundle(wat_guest("repeats_bulk_operations"));
        stopped_in_time(&acme, bundle, 4..=6)
    }

    #[test]
    fn a_guest_that_calls_the_host_without_end_is_stopped_at_its_deadline() => "limit.deadline" {
        let acme = acme();
        stopped_in_time(&acme, acme.bundle(wat_guest("logs_wildly")), [4])
    }

    #[test]
    fn a_guest_that_spins_in_init_is_stopped_by_the_budget_of_init() => "limit.deadline", "limit.fuel" {
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
        [error, stopped(&acme, bundle)]
    }

    #[test]
    fn there_is_no_way_to_run_guest_code_without_a_deadline() => "limit.deadline" {
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
        components.map(stop).collect::<Vec<_>>()
    }

    #[test]
    fn a_request_that_waits_too_long_expires_in_the_queue() => "limit.deadline" {
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
            let (result, took) = waited;
            assert!(took < DEADLINE + SLACK, "{took:?}");
            [spun.unwrap_err(), result.unwrap_err()]
        })
    }

    #[test]
    fn a_full_queue_answers_busy_at_once() => "limit.busy" {
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
                assert!(began.elapsed() < Duration::from_millis(100));
                error
            };
            let later = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                model.embed_text(&["x"]).await
            };
            let (_, _, error) = tokio::join!(model.embed_text(&["x"]), later, busy);
            [error]
        })
    }
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
