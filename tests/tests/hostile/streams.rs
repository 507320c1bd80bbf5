//! Begun generations beside requests that use their limits up, and the other way round.

use ampoule::Generation;
use tokio::task::JoinSet;

use super::*;

/// Deadline that no request here reaches.
const FAR: Duration = Duration::from_secs(20);

fn host_of(publisher: &Publisher, threads: usize) -> Host {
    let mut limits = Limits::default();
    limits.deadline = FAR;
    limits.idle = FAR;
    limits.queue = 300;
    Host::builder()
        .trust(publisher.trust())
        .limits(limits)
        .threads(threads)
        .build()
        .unwrap()
}

fn far(bundle: BundleBuilder<'_>) -> BundleBuilder<'_> {
    bundle.set("/limits/deadline_ms", json!(FAR.as_millis()))
}

fn streams(publisher: &Publisher) -> BundleBuilder<'_> {
    let bundle = publisher.bundle(wat_guest("streams"));
    far(bundle.named("streams").tasks(&["text-generation"]))
}

/// Time that is allowed for tens or hundreds of milliseconds of work on a busy machine.
const SOON: Duration = Duration::from_secs(8);

/// Begins a generation of the kind of this number, and reads three chunks.
async fn begun(model: &Model, way: u32) -> Generation {
    let request = GenerationRequest::question("x", way);
    let mut generation = model.generate(request).await.unwrap();
    for _ in 0..3 {
        assert_eq!(generation.next().await.unwrap().unwrap().text, "tick");
    }
    generation
}

/// Reads a generation until `enough` chunks have come, and returns the time that it took.
async fn read(generation: &mut Generation, enough: usize) -> Duration {
    let began = Instant::now();
    for _ in 0..enough {
        assert!(generation.next().await.unwrap().is_some());
    }
    began.elapsed()
}

/// Reads so many generations of the kind of this number until the returned value is dropped.
async fn endless(model: &Model, way: u32, count: usize) -> JoinSet<()> {
    let mut reading = JoinSet::new();
    for _ in 0..count {
        let request = GenerationRequest::question("x", way);
        let mut generation = model.generate(request).await.unwrap();
        reading.spawn(async move { while let Ok(Some(_)) = generation.next().await {} });
    }
    // Each has begun.
    tokio::time::sleep(Duration::from_millis(100)).await;
    reading
}

/// Reads a begun generation while `requests` are asked of a model that keeps its thread from others.
fn gets_on_beside(requests: usize, guest: &str) {
    let acme = acme();
    let host = host_of(&acme, 2);
    block_on(async {
        let selfish = far(acme.bundle(test_guest(guest)).named("selfish"));
        let (model, selfish) = (
            load(&host, streams(&acme)).await,
            load(&host, selfish).await,
        );
        let mut generation = begun(&model, 1).await;
        let mut asked = JoinSet::new();
        for _ in 0..requests {
            let selfish = selfish.clone();
            asked.spawn(async move { selfish.embed_text(&["x"]).await.err() });
        }
        // All of them wait or run before the generation is asked for more.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let took = read(&mut generation, 100).await;
        assert!(took < SOON, "{requests}: {took:?}");
    });
}

#[test]
fn all_chunks_of_a_generation_together_are_bounded_as_one_answer_is() {
    let acme = acme();
    let host = host_trusting(&acme);
    // A mebibyte, and chunks of 64 KiB: sixteen of them are not over it.
    let bundle = acme
        .bundle(wat_guest("streams"))
        .tasks(&["text-generation"]);
    let errors = block_on(async {
        let model = load(&host, bundle).await;
        let request = GenerationRequest::question("x", 2);
        let mut generation = model.generate(request).await.unwrap();
        read(&mut generation, 16).await;
        let error = generation.next().await.unwrap_err();
        [error, generation.next().await.unwrap_err()]
    });
    assert_serves(&acme, &host);
    assert_codes(errors, &["limit.output", "usage.generation"]);
}

/// A generation whose own steps take the whole time is not saved by this.
#[test]
fn a_step_that_never_returns_ends_at_the_deadline_of_its_generation() {
    let acme = acme();
    let host = host_of(&acme, 1);
    let bundle = streams(&acme).set("/limits/deadline_ms", json!(DEADLINE.as_millis()));
    let (error, took) = block_on(async {
        let model = load(&host, bundle).await;
        let request = GenerationRequest::question("x", 3);
        let mut generation = model.generate(request).await.unwrap();
        let began = Instant::now();
        (generation.next().await.unwrap_err(), began.elapsed())
    });
    assert!(took < DEADLINE + SLACK, "{took:?}");
    assert_serves(&acme, &host);
    assert_codes([error], &["limit.deadline"]);
}

#[test]
fn a_generation_that_has_begun_gets_on_beside_20_requests_that_compute() {
    gets_on_beside(20, "never_returns");
}

#[test]
fn a_generation_that_has_begun_gets_on_beside_250_requests_that_compute() {
    gets_on_beside(250, "never_returns");
}

#[test]
fn a_generation_that_has_begun_gets_on_beside_20_requests_that_sleep() {
    gets_on_beside(20, "sleeps_past_deadline");
}

/// The median time between two of 50 chunks.
async fn between_chunks(generation: &mut Generation) -> Duration {
    let mut times = Vec::new();
    for _ in 0..50 {
        times.push(read(generation, 1).await);
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn a_chunk_takes_at_most_twice_as_long_with_256_requests_in_the_queue() {
    /// A busy machine delays everybody, so the promise is to hold in one round of these at the least.
    const ROUNDS: usize = 5;
    const QUEUED: usize = 256;
    let acme = acme();
    let host = host_of(&acme, 2);
    block_on(async {
        let spins = far(acme.bundle(test_guest("never_returns")).named("spins"));
        // No generation may end by its deadline, which is that of an ordinary host.
        let usual = Limits::default().deadline.as_millis();
        let streams = streams(&acme).set("/limits/deadline_ms", json!(usual));
        let (model, spins) = (load(&host, streams).await, load(&host, spins).await);
        let mut found = Vec::new();
        for _ in 0..ROUNDS {
            let mut generation = begun(&model, 10).await;
            let idle = between_chunks(&mut generation).await;
            let mut asked = JoinSet::new();
            // Two of them run, as many as there are threads.
            for _ in 0..QUEUED + 2 {
                let spins = spins.clone();
                asked.spawn(async move { spins.embed_text(&["x"]).await.err() });
            }
            // All of them wait or run before the generation is asked for more.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let busy = between_chunks(&mut generation).await;
            assert_eq!(host.counters().serving.waiting, QUEUED, "they wait still");
            found.push((idle, busy));
            if busy <= 2 * idle {
                break;
            }
        }
        let kept = found.iter().any(|(idle, busy)| *busy <= 2 * *idle);
        assert!(kept, "{found:?}");
    });
}

#[test]
fn a_chunk_that_takes_long_comes_beside_generations_whose_chunks_do_not() {
    let acme = acme();
    let host = host_of(&acme, 1);
    block_on(async {
        let model = load(&host, streams(&acme)).await;
        let mut slow = begun(&model, 4).await;
        let _quick = endless(&model, 1, 8).await;
        let took = read(&mut slow, 2).await;
        assert!(took < SOON, "{took:?}");
    });
}

#[test]
fn a_request_is_answered_beside_generations_without_end() {
    let acme = acme();
    let host = host_of(&acme, 1);
    block_on(async {
        let streams = load(&host, streams(&acme)).await;
        let model = load(&host, far(acme.every_task())).await;
        // Some give chunk after chunk, the steps of others never return.
        let _quick = endless(&streams, 1, 8).await;
        let _stuck = endless(&streams, 3, 8).await;
        let began = Instant::now();
        for _ in 0..10 {
            model.embed_text(&["x"]).await.unwrap();
        }
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    });
}

#[test]
fn a_log_that_is_full_makes_no_chunk_cost_more() {
    let acme = acme();
    let mut limits = Limits::default();
    limits.deadline = FAR;
    limits.log = ampoule::ByteSize::from_mib(16);
    let host = host_with_limits(&acme, limits);
    let bundle = far(acme.bundle(wat_guest("logs_in_chunks"))).tasks(&["text-generation"]);
    block_on(async {
        let model = load(&host, bundle).await;
        let request = GenerationRequest::question("x", 260_000);
        let mut generation = model.generate(request).await.unwrap();
        read(&mut generation, 1).await;
        // A copy of the log takes most of a second.
        let took = read(&mut generation, 1_000).await;
        assert!(took < SOON, "{took:?}");
        let log = generation.report().log;
        assert!(log.messages.len() > 250_000, "{}", log.messages.len());
        assert!(log.dropped_bytes > 0);
    });
}
