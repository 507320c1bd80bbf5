//! Releases that were replaced leave nothing in the host, and a follower's thread ends with it.
//!
//! The tests measure the whole process, so they run one after the other.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ampoule::{Host, Limits, LiveModel, LoadOptions, TrustStore};
use ampoule_tests::{
    BundleBuilder, Delivery, Place, Publisher, block_on, host_with_limits, resident_bytes,
    test_guest,
};
use serde_json::json;

const RELOADS: u64 = 20;
/// Size of the file that `init` reads, and that a release has in its snapshot and its code.
const FILE: u64 = 4 << 20;
/// A quarter of the memory that is used if the old releases stay.
const ALLOWED_GROWTH: u64 = RELOADS * FILE / 4;

fn release(acme: &Publisher, number: u64) -> BundleBuilder<'_> {
    let bytes = vec![7; usize::try_from(FILE - number).unwrap()];
    acme.bundle(test_guest("assets_giant_length"))
        .set("/release", json!(number))
        .file("data.bin", bytes)
}

fn assert_answers(live: &LiveModel, number: u64) {
    let model = live.model();
    assert_eq!(model.manifest().release(), number);
    let answer = block_on(model.embed_text(&["x"])).unwrap();
    assert_eq!(answer.output.values, [(FILE - number) as f32]);
}

/// Counts the host's threads in this process. Threads that belong to the process and outlive hosts, because every
/// host reads files on them, have the name of the thread that first needed them.
fn threads() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|name| name.starts_with("ampoule-") && !name.starts_with("ampoule-load"))
        .collect();
    names.sort();
    names
}

/// Counts the mapped copies of native code.
fn mapped_codes() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut files: Vec<_> = maps
        .lines()
        .filter(|line| line.contains("memfd:"))
        .filter_map(|line| line.split_whitespace().nth(4))
        .collect();
    files.sort_unstable();
    files.dedup();
    files.len()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(30), "{what}: {:?}", threads());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The turn of a test to have this process for itself.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn twenty_followed_models_and_the_trust_directory_cost_one_thread() {
    let _alone = alone();
    let acme = Publisher::new("acme");
    let trust = tempfile::tempdir().unwrap();
    let key = acme.public_key().clone();
    TrustStore::update(trust.path(), |store| store.insert(key, ["acme"])).unwrap();
    let host = Host::builder().trust_directory(trust.path()).threads(1);
    let host = host.build().unwrap();
    let place = Place::new(Delivery::Overwrite, &release(&acme, 1).write());
    let follow = |_| block_on(host.follow(place.path(), LoadOptions::default())).unwrap();
    let followed: Vec<_> = (0..20).map(follow).collect();
    let expected = ["clock", "guest-0", "reaper", "watch"].map(|name| format!("ampoule-{name}\n"));
    wait_until("a host has its threads", || threads() == expected);
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        // One more does all looks of a second, and ends. As it begins it has the name of the one that began it.
        let now = threads();
        assert!(now.len() <= expected.len() + 1, "{now:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    wait_until("looks end", || threads() == expected);
    for live in &followed {
        assert_answers(live, 1);
    }
    drop((followed, host));
    wait_until("all threads end", || threads().is_empty());
}

#[test]
fn twenty_reloads_leave_nothing_and_dropping_ends_the_following() {
    let _alone = alone();
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    // A place that is not given back is missed at once.
    limits.sandboxes = 1;
    let host = host_with_limits(&acme, limits);
    let mut place = Place::new(Delivery::Overwrite, &release(&acme, 1).write());
    let live = block_on(host.follow(place.path(), LoadOptions::default())).unwrap();
    let mut reload = |number: u64| {
        let crashing = release(&acme, number).component(test_guest("panics_in_init"));
        place.put(&crashing.write());
        let refusal = block_on(live.look_again()).err().unwrap();
        assert_eq!(refusal.code(), "guest.trap");
        place.put(&release(&acme, number).write());
        block_on(live.look_again()).unwrap();
        assert_answers(&live, number);
    };
    (2..=4).for_each(&mut reload);
    let (before, codes) = (resident_bytes(), mapped_codes());
    (5..5 + RELOADS).for_each(&mut reload);
    let growth = resident_bytes().saturating_sub(before);
    println!("{RELOADS} reloads: {growth} bytes more, {codes} codes before");
    assert!(growth < ALLOWED_GROWTH, "{growth} bytes");
    assert_eq!(mapped_codes(), codes);

    // A release lives as long as it is held.
    let held = live.model();
    reload(100);
    assert_eq!(mapped_codes(), codes + 1);
    drop(held);
    assert_eq!(mapped_codes(), codes);

    // A dropped follower stops the load of a candidate, and keeps no host alive.
    let endless = release(&acme, 101)
        .component(test_guest("spins_in_init"))
        .set("/limits/init/deadline_ms", json!(60_000))
        .set("/limits/init/fuel", json!(1_000_000_000_000_u64));
    place.put(&endless.write());
    let is_there = |thread: &str| threads().iter().any(|name| name.starts_with(thread));
    wait_until("`init` is run", || is_there("ampoule-build"));
    drop(host);
    let other = live.clone();
    drop(live);
    assert!(is_there("ampoule-watch") && is_there("ampoule-build"));
    drop(other);
    wait_until("all threads end", || threads().is_empty());
    assert_eq!(mapped_codes(), 0);
}
