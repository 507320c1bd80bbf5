//! An operator's log: of releases that come and are refused, and of requests that fail.
//!
//! The first test listens to the whole process, the second to its own thread.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ampoule::{Fuel, GenerationRequest, Limits, LoadOptions, RequestLimits};
use ampoule_tests::{
    Delivery, Place, Publisher, block_on, host_trusting, host_with_limits, test_guest,
};
use serde_json::json;
use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Lists the lines with all of these words.
    fn count(&self, words: &[&str]) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    }
}

#[test]
fn a_refusal_is_told_once_and_a_move_with_both_releases() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let (acme, stranger) = (Publisher::new("acme"), Publisher::new("acme"));
    let release = |publisher: &Publisher, number: u64| {
        let bundle = publisher.every_task().set("/release", json!(number));
        bundle.write()
    };
    let mut place = Place::new(Delivery::Link, &release(&acme, 1));
    let live = block_on(host_trusting(&acme).follow(place.path(), LoadOptions::default())).unwrap();
    let refused = || log.count(&["WARN", "ampoule::load", "trust.unknown-key"]);
    for told in 1..=2 {
        place.put(&release(&stranger, 1 + told));
        for _ in 0..3 {
            block_on(live.look_again()).err().unwrap();
        }
        // The host goes on trying by itself.
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(refused(), usize::try_from(told).unwrap());
    }
    place.put(&release(&acme, 4));
    block_on(live.look_again()).unwrap();
    let moved = ["INFO", "ampoule::load", "from_release=1 release=4"];
    assert_eq!(log.count(&moved), 1);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((refused(), log.count(&moved)), (2, 1));
    assert_eq!(log.count(&["WARN"]), 2);
}

#[test]
fn callers_cannot_fill_the_log_with_warnings() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_writer(move || writer.clone());
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.sandboxes = 1;
    let host = host_with_limits(&acme, limits);
    block_on(async {
        let good = host.load(acme.every_task().write().path()).await.unwrap();
        let load = async |guest: &str| {
            let bundle = acme.bundle(test_guest(guest)).named(guest).write();
            host.load(bundle.path()).await.unwrap()
        };
        let (refusing, failing) = (load("guest_error").await, load("traps").await);
        let _listening = subscriber.set_default();
        let mut codes = Vec::new();
        let mut note = |error: ampoule::Error| codes.push(error.code().to_owned());
        note(good.embed_text(&["x".repeat(1_001)]).await.unwrap_err());
        note(good.embed_text(&["x"; 257]).await.unwrap_err());
        let mut request = GenerationRequest::question("a b", 10);
        request.sampling.top_p = 2.0;
        note(good.generate(request).await.err().unwrap());
        note(refusing.embed_text(&["x"]).await.unwrap_err());
        note(refusing.tokenize(&["x"]).await.unwrap_err());
        let request = GenerationRequest::question("a b", 10);
        let held = good.generate(request).await.unwrap();
        note(good.embed_text(&["x"]).await.unwrap_err());
        drop(held);
        let expected = [
            "input.too-large",
            "input.too-large",
            "input.invalid",
            "input.test",
            "usage.task",
            "limit.busy",
        ];
        assert_eq!(codes, expected);
        let greedy = [
            ("never_returns", "limit.deadline"),
            ("allocates_without_end", "limit.memory"),
            ("recurses_without_end", "limit.stack"),
            ("returns_giant_list", "limit.output"),
        ];
        for (guest, code) in greedy {
            let bundle = acme.bundle(test_guest(guest)).named(guest);
            let bundle = bundle.set("/limits/deadline_ms", json!(1_000)).write();
            let model = host.load(bundle.path()).await.unwrap();
            let error = model.embed_text(&["524288"]).await.unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert_eq!(log.count(&["DEBUG", "ampoule::request", code]), 1);
        }
        // Enough to load it with, and too little for a long text.
        let long = ["x".repeat(1_000)];
        let cost = good.embed_text(&long).await.unwrap().sandbox.fuel;
        let at_most = RequestLimits {
            fuel: Some(Fuel::new(cost.get() / 2)),
            ..RequestLimits::default()
        };
        let options = LoadOptions {
            at_most,
            ..LoadOptions::default()
        };
        let bundle = acme.every_task().write();
        let limited = host.load_with(bundle.path(), options).await.unwrap();
        let error = limited.embed_text(&long).await.unwrap_err();
        assert_eq!(error.code(), "limit.fuel", "{error}");
        assert_eq!(log.count(&["DEBUG", "ampoule::request", "limit.fuel"]), 1);
        assert_eq!((log.count(&["WARN"]), log.count(&["ERROR"])), (0, 0));
        assert_eq!(log.count(&["DEBUG", "limit.busy"]), 1);
        // A guest's own failure is one.
        failing.embed_text(&["x"]).await.unwrap_err();
        assert_eq!(log.count(&["WARN", "guest.trap"]), 1);
    });
}
