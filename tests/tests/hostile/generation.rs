//! Generations that do not end, or end badly.

use super::*;

#[test]
fn a_generation_without_end_is_stopped_by_the_chunk_limit() {
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
    assert_eq!((chunks, error.code()), (100, "limit.output"));
    assert_serves(&acme, &host);
}

#[test]
fn a_generation_that_blocks_is_stopped_at_the_deadline_of_the_whole() {
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
    assert_eq!(error.unwrap_err().code(), "limit.deadline");
    assert_serves(&acme, &host);
}

#[test]
fn a_generation_that_fails_midway_is_over() {
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
        assert_eq!(generation.next().await.unwrap_err().code(), "guest.error");
        // Not `None`: nobody should take the cut answer for a whole one.
        let again = generation.next().await;
        assert_eq!(again.unwrap_err().code(), "usage.generation");
    });
}

#[test]
fn a_generation_that_does_not_say_how_it_ended_has_failed() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("generation_ends_without_a_finish"))
        .tasks(&["text-generation"]);
    block_on(async {
        let model = load(&host, bundle).await;
        let request = GenerationRequest::question("x", 10);
        let mut generation = model.generate(request).await.unwrap();
        assert!(generation.next().await.unwrap().is_some());
        assert_eq!(generation.next().await.unwrap_err().code(), "guest.answer");
        let again = generation.next().await;
        assert_eq!(again.unwrap_err().code(), "usage.generation");
    });
    assert_serves(&acme, &host);
}

#[test]
fn a_giant_chunk_is_refused_and_ends_the_generation() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("generation_giant_chunk"))
        .tasks(&["text-generation"])
        .set("/limits/memory_bytes", json!(256 << 20));
    block_on(async {
        let model = load(&host, bundle).await;
        let mut generation = model
            .generate(GenerationRequest::question("x", 10))
            .await
            .unwrap();
        assert_eq!(generation.next().await.unwrap_err().code(), "limit.output");
        let again = generation.next().await;
        assert_eq!(again.unwrap_err().code(), "usage.generation");
    });
    assert_serves(&acme, &host);
}

#[test]
fn no_more_sandboxes_live_at_once_than_allowed() {
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
        assert_eq!(third.err().unwrap().code(), "limit.busy");
        drop(first);
        model.generate(request()).await.unwrap();
    });
}

#[test]
fn a_generation_that_nobody_asks_for_more_ends_at_its_deadline() {
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
        assert_eq!(idle.next().await.unwrap_err().code(), "limit.deadline");
    });
}

#[test]
fn a_generation_goes_on_while_the_queue_is_full() {
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
            assert_eq!(
                spinner.embed_text(&["x"]).await.unwrap_err().code(),
                "limit.busy"
            );
            generation.next().await.unwrap()
        };
        let (_, _, chunk) = tokio::join!(spinner.embed_text(&["x"]), waiting, next);
        assert!(chunk.is_some());
    });
}

#[test]
fn limits_that_allow_nothing_are_refused() {
    let mut no_queue = Limits::default();
    no_queue.queue = 0;
    let mut no_sandbox = Limits::default();
    no_sandbox.sandboxes = 0;
    for limits in [no_queue, no_sandbox] {
        let error = Host::builder().limits(limits).build().err().unwrap();
        assert_eq!(error.code(), "usage.limits");
    }
}
