//! Generations that do not end, or end badly.

use super::*;

promises! {
    #[test]
    fn a_generation_without_end_is_stopped_by_the_chunk_limit() => "limit.output" {
        let acme = acme();
        let mut limits = Limits::default();
        limits.chunks = 100;
        let host = host_with_limits(&acme, limits);
        let bundle = acme
            .bundle(test_guest("endless_generation"))
            .tasks(&["text-generation"]);
        let (chunks, error) = block_on(async {
            let model = load(&host, bundle).await;
            let mut generation = model
                .generate(GenerationRequest::question("x", 1_000_000))
                .await
                .unwrap();
            let mut chunks = 0;
            loop {
                match generation.next().await {
                    Ok(Some(_)) => chunks += 1,
                    Ok(None) => panic!("it never ends"),
                    Err(error) => break (chunks, error),
                }
            }
        });
        assert_eq!(chunks, 100);
        assert_serves(&acme, &host);
        [error]
    }

    #[test]
    fn a_generation_that_blocks_is_stopped_at_the_deadline_of_the_whole() => "limit.deadline" {
        let acme = acme();
        let host = host_trusting(&acme);
        let bundle = acme
            .bundle(test_guest("generation_blocks"))
            .tasks(&["text-generation"])
            .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
        let error = block_on(async {
            let model = load(&host, bundle).await;
            let mut generation = model.generate(GenerationRequest::question("x", 10)).await?;
            while generation.next().await?.is_some() {}
            Ok::<(), Error>(())
        });
        assert_serves(&acme, &host);
        [error.unwrap_err()]
    }

    #[test]
    fn a_generation_that_fails_midway_is_over() => "guest.error", "usage.generation" {
        let acme = acme();
        let host = host_trusting(&acme);
        let bundle = acme
            .bundle(test_guest("generation_fails_midway"))
            .tasks(&["text-generation"]);
        block_on(async {
            let model = load(&host, bundle).await;
            let request = GenerationRequest::question("x", 10);
            let mut generation = model.generate(request).await.unwrap();
            for _ in 0..2 {
                assert!(generation.next().await.unwrap().is_some());
            }
            let error = generation.next().await.unwrap_err();
            // Not `None`: nobody should take the cut answer for a whole one.
            let again = generation.next().await;
            [error, again.unwrap_err()]
        })
    }

    #[test]
    fn a_generation_that_does_not_say_how_it_ended_has_failed() => "guest.answer", "usage.generation" {
        let acme = acme();
        let host = host_trusting(&acme);
        let bundle = acme
            .bundle(test_guest("generation_ends_without_a_finish"))
            .tasks(&["text-generation"]);
        let errors = block_on(async {
            let model = load(&host, bundle).await;
            let request = GenerationRequest::question("x", 10);
            let mut generation = model.generate(request).await.unwrap();
            assert!(generation.next().await.unwrap().is_some());
            let error = generation.next().await.unwrap_err();
            [error, generation.next().await.unwrap_err()]
        });
        assert_serves(&acme, &host);
        errors
    }

    #[test]
    fn a_giant_chunk_is_refused_and_ends_the_generation() => "limit.output", "usage.generation" {
        let acme = acme();
        let host = host_trusting(&acme);
        let bundle = acme
            .bundle(test_guest("generation_giant_chunk"))
            .tasks(&["text-generation"])
            .set("/limits/memory_bytes", json!(256 << 20));
        let errors = block_on(async {
            let model = load(&host, bundle).await;
            let mut generation = model
                .generate(GenerationRequest::question("x", 10))
                .await
                .unwrap();
            let error = generation.next().await.unwrap_err();
            [error, generation.next().await.unwrap_err()]
        });
        assert_serves(&acme, &host);
        errors
    }

    #[test]
    fn no_more_sandboxes_live_at_once_than_allowed() => "limit.busy" {
        let acme = acme();
        let mut limits = Limits::default();
        limits.sandboxes = 2;
        let host = host_with_limits(&acme, limits);
        block_on(async {
            let model = load(&host, acme.every_task()).await;
            let request = || GenerationRequest::question("a b c", 10);
            let first = model.generate(request()).await.unwrap();
            let _second = model.generate(request()).await.unwrap();
            let third = model.generate(request()).await;
            drop(first);
            model.generate(request()).await.unwrap();
            [third.err().unwrap()]
        })
    }

    #[test]
    fn a_generation_that_nobody_asks_for_more_ends_at_its_deadline() => "limit.deadline" {
        let acme = acme();
        let mut limits = Limits::default();
        limits.sandboxes = 1;
        let host = host_with_limits(&acme, limits);
        let bundle = acme
            .every_task()
            .set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
        block_on(async {
            let model = load(&host, bundle).await;
            let request = || GenerationRequest::question("a b c", 10);
            let mut idle = model.generate(request()).await.unwrap();
            assert!(idle.next().await.unwrap().is_some());
            tokio::time::sleep(DEADLINE + SLACK).await;
            // Its place is free although it is still held.
            model.generate(request()).await.unwrap();
            [idle.next().await.unwrap_err()]
        })
    }

    #[test]
    fn a_generation_goes_on_while_the_queue_is_full() => "limit.busy" {
        let acme = acme();
        let mut limits = Limits::default();
        limits.queue = 1;
        let host = Host::builder()
            .trust(acme.trust())
            .limits(limits)
            .threads(1)
            .build()
            .unwrap();
        let spinner = acme
            .bundle(test_guest("never_returns"))
            .set("/limits/deadline_ms", json!(300));
        block_on(async {
            let (good, spinner) = (
                load(&host, acme.every_task()).await,
                load(&host, spinner).await,
            );
            let request = GenerationRequest::question("a b c", 10);
            let mut generation = good.generate(request).await.unwrap();
            let waiting = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                spinner.embed_text(&["x"]).await
            };
            let next = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let busy = spinner.embed_text(&["x"]).await.unwrap_err();
                (busy, generation.next().await.unwrap())
            };
            let (_, _, (busy, chunk)) = tokio::join!(spinner.embed_text(&["x"]), waiting, next);
            assert!(chunk.is_some());
            [busy]
        })
    }

    #[test]
    fn limits_that_allow_nothing_are_refused() => "usage.limits" {
        let mut no_queue = Limits::default();
        no_queue.queue = 0;
        let mut no_sandbox = Limits::default();
        no_sandbox.sandboxes = 0;
        [no_queue, no_sandbox]
            .map(|limits| Host::builder().limits(limits).build().err().unwrap())
    }
}
