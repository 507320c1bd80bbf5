//! Generations that do not end, or end badly.

use super::*;

/// Idle limit of generations here: longer than a busy machine stalls.
const IDLE: Duration = Duration::from_millis(1_500);

/// Time after which the idle limit has passed for certain.
const PAST_IDLE: Duration = Duration::from_secs(3);

/// Deadline that no idle generation comes near.
const FAR: Duration = Duration::from_secs(60);

fn host_of_one_sandbox(publisher: &Publisher) -> Host {
    let mut limits = Limits::default();
    limits.sandboxes = 1;
    limits.idle = IDLE;
    limits.deadline = FAR;
    host_with_limits(publisher, limits)
}

/// Sets the deadline [`FAR`].
fn far(bundle: BundleBuilder<'_>) -> BundleBuilder<'_> {
    bundle.set("/limits/deadline_ms", json!(FAR.as_millis()))
}

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
    assert_eq!(chunks, 100);
    assert_serves(&acme, &host);
    assert_codes([error], &["limit.output"]);
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
    assert_serves(&acme, &host);
    assert_codes([error.unwrap_err()], &["limit.deadline"]);
}

#[test]
fn a_generation_that_fails_midway_is_over() {
    let acme = acme();
    let host = host_trusting(&acme);
    let bundle = acme
        .bundle(test_guest("generation_fails_midway"))
        .tasks(&["text-generation"]);
    let errors = block_on(async {
        let model = load(&host, bundle).await;
        let request = GenerationRequest::question("x", 10);
        let mut generation = model.generate(request).await.unwrap();
        for _ in 0..2 {
            assert!(generation.next().await.unwrap().is_some());
        }
        let error = generation.next().await.unwrap_err();
        // Not `None`, or the cut answer would pass for a whole one.
        let again = generation.next().await;
        [error, again.unwrap_err()]
    });
    assert_codes(errors, &["guest.error", "usage.generation"]);
}

#[test]
fn a_generation_that_does_not_say_how_it_ended_has_failed() {
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
    assert_codes(errors, &["guest.answer", "usage.generation"]);
}

#[test]
fn a_giant_chunk_is_refused_and_ends_the_generation() {
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
    assert_codes(errors, &["limit.output", "usage.generation"]);
}

#[test]
fn no_more_sandboxes_live_at_once_than_allowed() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.sandboxes = 2;
    let host = host_with_limits(&acme, limits);
    let errors = block_on(async {
        let model = load(&host, acme.every_task()).await;
        let request = || GenerationRequest::question("a b c", 10);
        let first = model.generate(request()).await.unwrap();
        let _second = model.generate(request()).await.unwrap();
        let third = model.generate(request()).await;
        drop(first);
        model.generate(request()).await.unwrap();
        [third.err().unwrap()]
    });
    assert_codes(errors, &["limit.busy"]);
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
    let errors = block_on(async {
        let model = load(&host, bundle).await;
        let request = || GenerationRequest::question("a b c", 10);
        let mut idle = model.generate(request()).await.unwrap();
        assert!(idle.next().await.unwrap().is_some());
        tokio::time::sleep(DEADLINE).await;
        // Its permit is free although the generation is still held.
        let began = Instant::now();
        while let Err(error) = model.generate(request()).await {
            assert!(began.elapsed() < SLACK, "{error}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        [idle.next().await.unwrap_err()]
    });
    assert_codes(errors, &["limit.deadline"]);
}

#[test]
fn a_generation_that_nobody_asks_for_more_gives_its_place_to_others() {
    let acme = acme();
    let host = host_of_one_sandbox(&acme);
    let errors = block_on(async {
        let model = load(&host, far(acme.every_task())).await;
        let request = || GenerationRequest::question("a b c", 10);
        let mut idle = model.generate(request()).await.unwrap();
        assert!(idle.next().await.unwrap().is_some());
        let busy = model.generate(request()).await.err().unwrap();
        tokio::time::sleep(PAST_IDLE).await;
        // Nobody has asked it anything, and its place is free although it is still held.
        let mut other = model.generate(request()).await.unwrap();
        let error = idle.next().await.unwrap_err();
        let Error::Idle { allowed } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*allowed, IDLE);
        assert!(error.to_string().contains("1500 ms"), "{error}");
        // It stays that, and the other one is not touched by it.
        let again = idle.next().await.unwrap_err();
        drop(idle);
        assert!(other.next().await.unwrap().is_some());
        [busy, error, again]
    });
    assert_codes(errors, &["limit.idle", "limit.busy"]);
}

/// A caller that waits for a chunk and never polls holds its permit no longer than one that does not ask.
#[test]
fn a_chunk_that_nobody_takes_is_no_way_to_keep_a_place() {
    let acme = acme();
    let host = host_of_one_sandbox(&acme);
    let errors = block_on(async {
        let model = load(&host, far(acme.every_task())).await;
        let request = || GenerationRequest::question("and ".repeat(100), 1_000);
        let opening = loop {
            let mut opening = Box::pin(model.generate(request()));
            if begins(opening.as_mut()).await {
                break opening;
            }
        };
        tokio::time::sleep(PAST_IDLE).await;
        let mut generation = model.generate(request()).await.unwrap();
        let never_asked = opening.await.unwrap().next().await;

        loop {
            let mut next = Box::pin(generation.next());
            if !begins(next.as_mut()).await {
                continue;
            }
            tokio::time::sleep(PAST_IDLE).await;
            model.embed_text(&["its place is free"]).await.unwrap();
            // The chunk had come in time.
            assert_eq!(next.await.unwrap().unwrap().text, "and ");
            break;
        }
        [
            never_asked.unwrap_err(),
            generation.next().await.unwrap_err(),
        ]
    });
    assert_codes(errors, &["limit.idle"]);
}

#[test]
fn a_generation_goes_on_while_the_queue_is_full() {
    let acme = acme();
    let host = host_with_a_queue_of_one(&acme);
    let spinner = acme
        .bundle(test_guest("never_returns"))
        .set("/limits/deadline_ms", json!(1_000));
    block_on(async {
        let (good, spinner) = (
            load(&host, acme.every_task()).await,
            load(&host, spinner).await,
        );
        let request = GenerationRequest::question("a b c", 10);
        let mut generation = good.generate(request).await.unwrap();
        let (_running, _waiting, busy) = fill_the_queue(&spinner).await;
        assert!(generation.next().await.unwrap().is_some());
        assert_codes([busy], &["limit.busy"]);
    });
}

#[test]
fn limits_that_allow_nothing_are_refused() {
    let mut no_queue = Limits::default();
    no_queue.queue = 0;
    let mut no_sandbox = Limits::default();
    no_sandbox.sandboxes = 0;
    let mut no_wait = Limits::default();
    no_wait.idle = Duration::ZERO;
    assert_codes(
        [no_queue, no_sandbox, no_wait]
            .map(|limits| Host::builder().limits(limits).build().err().unwrap()),
        &["usage.limits"],
    );
}

#[test]
fn settings_that_no_machine_could_keep_are_refused_before_anything_is_made() {
    let mut for_ever = Limits::default();
    for_ever.deadline = Duration::MAX;
    let mut giant = Limits::default();
    giant.memory = ampoule::ByteSize::from_bytes(u64::MAX);
    let began = Instant::now();
    let refused = [
        ("threads", Host::builder().threads(10_000_000)),
        ("threads", Host::builder().threads(0)),
        ("kernel_threads", Host::builder().kernel_threads(10_000_000)),
        ("kernel_threads", Host::builder().kernel_threads(0)),
        ("deadline", Host::builder().limits(for_ever)),
        ("memory", Host::builder().limits(giant)),
    ]
    .map(|(name, builder)| {
        let error = builder.build().err().unwrap();
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        error
    });
    assert!(began.elapsed() < SLACK);
    assert_codes(refused, &["usage.limits"]);
}

#[test]
fn a_generation_that_is_read_steadily_outlives_the_idle_time() {
    let acme = acme();
    let host = host_of_one_sandbox(&acme);
    let bundle = acme
        .bundle(test_guest("endless_generation"))
        .tasks(&["text-generation"]);
    block_on(async {
        let model = load(&host, far(bundle)).await;
        let request = GenerationRequest::question("x", 1_000_000);
        let mut generation = model.generate(request).await.unwrap();
        let began = Instant::now();
        while began.elapsed() < 2 * IDLE {
            assert!(generation.next().await.unwrap().is_some());
            tokio::time::sleep(IDLE / 20).await;
        }
    });
}

#[test]
fn a_call_that_was_dropped_half_way_leaves_no_hole_in_the_answer() {
    let acme = acme();
    let host = host_trusting(&acme);
    block_on(async {
        let model = load(&host, acme.every_task()).await;
        let mut dropped = 0;
        while dropped < 20 {
            let request = GenerationRequest::question("a b c", 10);
            let mut generation = model.generate(request).await.unwrap();
            let mut next = Box::pin(generation.next());
            if begins(next.as_mut()).await {
                // The chunk may have come by now, but was not taken.
                drop(next);
                let error = generation.next().await.unwrap_err();
                assert_eq!(error.code(), "usage.generation");
                dropped += 1;
            }
        }
    });
}
