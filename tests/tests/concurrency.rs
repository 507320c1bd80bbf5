//! Requests on several threads run at the same time, and no more of them than there are threads.
//!
//! No clock of the host's tells that. But what a request's report says it has spent in its sandbox lies
//! between the moment before the first was asked and the one after the last has answered: where these times
//! are longer together than that, two of them must have run at once.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ampoule::{CallOptions, GenerationRequest, Host, Limits, Model, Observer, RequestEvent};
use ampoule_tests::{Publisher, block_on, test_guest, wat_guest};
use serde_json::json;

/// Long enough for a request of a second or so on a machine with other things to do.
const DEADLINE: Duration = Duration::from_secs(120);

/// A model whose every request reads clocks for a good part of a second.
fn slow_model(threads: usize) -> Model {
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.deadline = DEADLINE;
    let host = Host::builder()
        .trust(acme.trust())
        .limits(limits)
        .threads(threads)
        // As long as its clocks hardly move, the guest reads them a million times.
        .clock_resolution(Duration::from_secs(1))
        .build()
        .unwrap();
    let bundle = acme
        .bundle(test_guest("reads_clock_and_random"))
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
        .write();
    block_on(host.load(bundle.path())).unwrap()
}

/// Time of all requests from the first to the last, and the sum of their times in sandboxes.
fn asked_at_once(model: &Model, requests: usize) -> (Duration, Duration) {
    block_on(async {
        let began = Instant::now();
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..requests {
            let model = model.clone();
            asked.spawn(async move { model.embed_text(&["x"]).await.unwrap().sandbox.wall });
        }
        let within: Duration = asked.join_all().await.into_iter().sum();
        (began.elapsed(), within)
    })
}

#[test]
fn two_requests_run_at_the_same_time_on_two_threads() {
    let (elapsed, within) = asked_at_once(&slow_model(2), 2);
    println!("{within:?} in sandboxes within {elapsed:?}");
    assert!(within > elapsed, "{within:?} within {elapsed:?}");
}

#[test]
fn one_thread_runs_one_request_after_the_other() {
    let (elapsed, within) = asked_at_once(&slow_model(1), 3);
    assert!(within <= elapsed, "{within:?} within {elapsed:?}");
}

#[test]
fn no_more_requests_run_at_the_same_time_than_there_are_threads() {
    let (elapsed, within) = asked_at_once(&slow_model(2), 6);
    assert!(
        within > elapsed && within <= 2 * elapsed,
        "{within:?} within {elapsed:?}"
    );
}

fn of_tenant(model: &Model, tenant: &str) -> Model {
    let options = CallOptions {
        tenant: Some(tenant.into()),
        ..CallOptions::default()
    };
    model.with_options(options).unwrap()
}

#[test]
fn a_tenant_that_asks_for_much_keeps_no_other_from_its_turn() {
    let model = slow_model(1);
    let order = block_on(async {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut asked = tokio::task::JoinSet::new();
        for tenant in ["greedy", "greedy", "greedy", "greedy", "modest"] {
            let (model, order) = (of_tenant(&model, tenant), Arc::clone(&order));
            asked.spawn(async move {
                model.embed_text(&["x"]).await.unwrap();
                order.lock().unwrap().push(tenant);
            });
            // They come in this order, and the first runs before the last has come.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        asked.join_all().await;
        Arc::into_inner(order).unwrap().into_inner().unwrap()
    });
    let turn = order.iter().position(|tenant| *tenant == "modest").unwrap();
    // Behind the one that ran and the one whose turn had come before.
    assert!(turn <= 2, "{order:?}");
}

#[test]
fn a_full_queue_makes_room_for_a_tenant_that_waits_with_less() {
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.queue = 4;
    let host = Host::builder()
        .trust(acme.trust())
        .limits(limits)
        .threads(1);
    let host = host.build().unwrap();
    let bundle = acme.bundle(test_guest("never_returns")).write();
    let codes = block_on(async {
        let model = host.load(bundle.path()).await.unwrap();
        let mut asked = tokio::task::JoinSet::new();
        for tenant in ["greedy", "greedy", "greedy", "greedy", "greedy", "modest"] {
            let model = of_tenant(&model, tenant);
            asked.spawn(async move {
                let error = model.embed_text(&["x"]).await.unwrap_err();
                (tenant, error.code().to_owned())
            });
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        asked.join_all().await
    });
    let refused: Vec<_> = codes
        .iter()
        .filter(|(_, code)| code == "limit.busy")
        .collect();
    assert!(matches!(refused[..], [("greedy", _)]), "{codes:?}");
}

#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

/// The request's name, whether it is a step of one, and the code of its error.
type Event = (Option<String>, bool, Option<String>);

impl Observer for Events {
    fn request_ended(&self, event: &RequestEvent<'_>) {
        assert!(event.waited <= event.took);
        let code = event.error.map(|error| error.code().to_owned());
        let id = event.request_id.map(ToOwned::to_owned);
        self.0.lock().unwrap().push((id, event.is_continued, code));
    }
}

fn host_with_streams(events: &Arc<Events>) -> (Host, Model) {
    let acme = Publisher::new("acme");
    let host = Host::builder()
        .trust(acme.trust())
        .observer(Arc::clone(events) as Arc<dyn Observer>)
        .build()
        .unwrap();
    let bundle = acme
        .bundle(wat_guest("streams"))
        .tasks(&["text-generation"]);
    let bundle = bundle.write();
    let model = block_on(host.load(bundle.path())).unwrap();
    (host, model)
}

#[test]
fn requests_and_their_steps_are_counted_and_told_of() {
    let events = Arc::default();
    let (host, model) = host_with_streams(&events);
    let counted = || host.counters().serving;
    assert_eq!((counted().models, counted().requests), (1, 0));
    let options = CallOptions {
        request_id: Some("7f3a".into()),
        ..CallOptions::default()
    };
    let named = model.with_options(options).unwrap();
    block_on(async {
        let mut last = named.generate(GenerationRequest::question("x", 9)).await;
        let last = last.as_mut().unwrap();
        assert_eq!(counted().sandboxes, 1);
        assert!(last.next().await.unwrap().unwrap().finish.is_some());
        let mut bad = model.generate(GenerationRequest::question("x", 6)).await;
        bad.as_mut().unwrap().next().await.unwrap_err();
        model.embed_text(&["x"]).await.unwrap_err();
    });
    let found = counted();
    assert_eq!((found.requests, found.steps), (3, 2));
    for code in ["guest.answer", "usage.task"] {
        assert_eq!(found.refused.get(code), Some(&1), "{found:?}");
    }
    // A caller has its answer a moment before its thread has counted that the job is over.
    let is_at_rest = || {
        let now = counted();
        (now.sandboxes, now.waiting, now.running) == (0, 0, 0)
    };
    let began = Instant::now();
    while !is_at_rest() {
        assert!(began.elapsed() < DEADLINE, "{:?}", counted());
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = || Some("7f3a".to_owned());
    let told = events.0.lock().unwrap();
    let expected = [
        (id(), false, None),
        (id(), true, None),
        (None, false, None),
        (None, true, Some("guest.answer".to_owned())),
        (None, false, Some("usage.task".to_owned())),
    ];
    assert_eq!(*told, expected);
}

#[test]
fn an_answer_that_breaks_the_contract_and_an_abandoned_request_are_counted() {
    let acme = Publisher::new("acme");
    let host = Host::builder().trust(acme.trust()).build().unwrap();
    let broken = acme
        .bundle(test_guest("nan_values"))
        .named("broken")
        .write();
    let spins = acme
        .bundle(test_guest("never_returns"))
        .named("spins")
        .write();
    block_on(async {
        let broken = host.load(broken.path()).await.unwrap();
        let error = broken.embed_text(&["x"]).await.unwrap_err();
        assert_eq!(error.code(), "guest.answer");
        let spins = host.load(spins.path()).await.unwrap();
        let waited = Duration::from_millis(20);
        let abandoned = tokio::time::timeout(waited, spins.embed_text(&["x"])).await;
        abandoned.unwrap_err();
    });
    let found = host.counters().serving;
    assert_eq!(found.requests, 2);
    assert_eq!(found.refused.get("guest.answer"), Some(&1), "{found:?}");
}

#[test]
fn a_call_may_have_less_than_its_model() {
    let acme = Publisher::new("acme");
    let host = Host::builder().trust(acme.trust()).build().unwrap();
    let bundle = acme.bundle(test_guest("never_returns")).write();
    block_on(async {
        let model = host.load(bundle.path()).await.unwrap();
        let mut options = CallOptions::default();
        options.at_most.deadline = Some(Duration::from_millis(50));
        let hurried = model.with_options(options).unwrap();
        let error = hurried.embed_text(&["x"]).await.unwrap_err();
        assert_eq!(error.code(), "limit.deadline");
        assert!(error.to_string().contains("50 ms"), "{error}");
    });
}

#[test]
fn draining_waits_for_what_was_accepted_and_accepts_nothing_more() {
    let events = Arc::default();
    let (host, model) = host_with_streams(&events);
    let has_drained = block_on(async {
        let request = GenerationRequest::question("x", 9);
        let mut begun = model.generate(request.clone()).await.unwrap();
        let draining = tokio::spawn({
            let host = host.clone();
            async move { host.drain(Duration::from_secs(20)).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!draining.is_finished(), "a generation has begun");
        let refused = model.generate(request).await.err().unwrap();
        assert_eq!(refused.code(), "limit.busy");
        let loading = host.load("anything").await.unwrap_err();
        assert_eq!(loading.code(), "limit.busy");
        assert!(begun.next().await.unwrap().unwrap().finish.is_some());
        draining.await.unwrap()
    });
    assert!(has_drained);
}

#[test]
fn draining_stops_what_is_not_over_in_time_and_its_callers_may_try_elsewhere() {
    let events = Arc::default();
    let (host, model) = host_with_streams(&events);
    block_on(async {
        let request = GenerationRequest::question("x", 3);
        let mut stuck = model.generate(request).await.unwrap();
        let reading = tokio::spawn(async move { stuck.next().await.unwrap_err() });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let began = Instant::now();
        assert!(!host.drain(Duration::from_millis(100)).await);
        assert!(began.elapsed() < Duration::from_secs(5));
        let error = reading.await.unwrap();
        assert_eq!(error.code(), "limit.busy");
        assert!(error.is_retryable());
    });
}

#[test]
fn draining_waits_for_loads_and_stops_those_that_are_not_over_in_time() {
    let acme = Publisher::new("acme");
    let init = json!(Duration::from_secs(60).as_millis());
    let slow = acme
        .bundle(test_guest("spins_in_init"))
        .set("/limits/init/deadline_ms", init)
        .write();
    let mut limits = Limits::default();
    limits.init.deadline = Duration::from_secs(60);
    let host = Host::builder().trust(acme.trust()).limits(limits);
    let host = host.build().unwrap();
    block_on(async {
        let loading = tokio::spawn({
            let (host, path) = (host.clone(), slow.path().to_owned());
            async move { host.load(path).await.unwrap_err() }
        });
        while host.counters().loading.running == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let began = Instant::now();
        assert!(!host.drain(Duration::from_millis(300)).await);
        assert!(began.elapsed() >= Duration::from_millis(300), "it waited");
        let error = loading.await.unwrap();
        assert_eq!(error.code(), "limit.busy", "{error}");
        assert!(began.elapsed() < Duration::from_secs(30), "it was stopped");
    });
    assert!(block_on(host.drain(Duration::MAX)), "nothing is left");
}
