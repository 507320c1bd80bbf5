//! What an operator reads of releases that come and are refused.
//!
//! One test alone in its file: it listens to the whole process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ampoule::LoadOptions;
use ampoule_tests::{Delivery, Place, Publisher, block_on, host_trusting};
use serde_json::json;

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
    /// The lines with all of these words.
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
    let live = block_on(host_trusting(&acme).follow(place.path(), LoadOptions::new())).unwrap();
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
