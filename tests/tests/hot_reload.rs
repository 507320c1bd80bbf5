//! A running host moves new requests to a newer release, and to no older or other one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::time::{Duration, Instant};

use ampoule::{
    CodeOrigin, GenerationRequest, Host, Limits, LiveModel, LoadOptions, Model, ReleaseState,
    RollbackProtection,
};
use ampoule_signing::{
    ENVELOPE_FILE, Envelope, RevocationAuthority, RevocationList, Revoked, Role, SecretKey,
    SignedRevocations,
};
use ampoule_tests::{
    BundleBuilder, Delivery, Place, Publisher, WrittenBundle, block_on, host_trusting,
    host_with_limits, set_mode, test_guest,
};
use serde_json::json;

/// Makes a release that answers every text with its number, the length of its file.
fn release(publisher: &Publisher, number: u64) -> BundleBuilder<'_> {
    let bytes = vec![7; usize::try_from(number).unwrap()];
    publisher
        .bundle(test_guest("assets_giant_length"))
        .set("/release", json!(number))
        .file("data.bin", bytes)
}

/// Makes a first release that generates, with time for a generation to outlive the load of the next release.
fn generating(acme: &Publisher) -> (Limits, Place) {
    let mut limits = Limits::default();
    limits.deadline = Duration::from_secs(60);
    // On a busy machine the load between two chunks takes longer than a caller may usually think.
    limits.idle = limits.deadline;
    let first = acme
        .every_task()
        .set("/limits/deadline_ms", json!(60_000))
        .write();
    (limits, Place::new(Delivery::Overwrite, &first))
}

fn follow(host: &Host, place: &Place) -> LiveModel {
    block_on(host.follow(place.path(), LoadOptions::default())).unwrap()
}

fn ask(model: &Model) -> ampoule::Result<f32> {
    block_on(model.embed_text(&["x"])).map(|answer| answer.output.values[0])
}

/// Returns the release that answers a new request.
fn answering(live: &LiveModel) -> f32 {
    ask(&live.model()).unwrap()
}

fn look(live: &LiveModel) -> Result<u64, String> {
    match block_on(live.look_again()) {
        Ok(model) => Ok(model.manifest().release()),
        Err(refusal) => Err(refusal.code().to_owned()),
    }
}

/// Lets the host look in vain so often that it tries again only after a minute, unless a file changes.
fn wear_out(live: &LiveModel, code: &str) {
    for _ in 0..8 {
        assert_eq!(look(live), Err(code.to_owned()));
    }
}

/// Waits until the host has noticed by itself, for less than the pause after [`wear_out`].
fn within_seconds(expected: f32, live: &LiveModel) {
    let started = Instant::now();
    while answering(live) != expected {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{:?}",
            live.refusal()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_newer_release_in_the_place_of_an_older_one_gets_the_new_requests() {
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    for delivery in Delivery::ALL {
        let mut place = Place::new(delivery, &release(&acme, 1).write());
        let live = follow(&host, &place);
        let first = live.model();
        assert_eq!(answering(&live), 1.0);
        assert_eq!(look(&live), Ok(1), "{delivery:?}");
        for number in [2, 3, 7] {
            place.put(&release(&acme, number).write());
            assert_eq!(look(&live), Ok(number), "{delivery:?}");
            assert_eq!(answering(&live), number as f32);
            assert!(live.refusal().is_none());
        }
        // Holders of the old model keep it.
        assert_eq!(ask(&first).unwrap(), 1.0);
        assert_eq!(first.manifest().release(), 1);
    }
}

#[test]
fn a_host_notices_a_newer_release_by_itself() {
    let acme = Publisher::new("acme");
    let mut place = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let live = follow(&host_trusting(&acme), &place);
    place.put(&release(&acme, 2).write());
    within_seconds(2.0, &live);
}

#[test]
fn a_generation_in_flight_finishes_on_the_release_that_it_began_on() {
    let acme = Publisher::new("acme");
    let (limits, mut place) = generating(&acme);
    let live = follow(&host_with_limits(&acme, limits), &place);
    block_on(async {
        let request = || GenerationRequest::question("one two three", 10);
        let mut generation = live.model().generate(request()).await.unwrap();
        let mut text = generation.next().await.unwrap().unwrap().text;
        // The next release does not even offer the task.
        place.put(&release(&acme, 2).write());
        let model = live.look_again().await.unwrap();
        let error = model.generate(request()).await.err().unwrap();
        assert_eq!(error.code(), "usage.task");
        while let Some(chunk) = generation.next().await.unwrap() {
            text.push_str(&chunk.text);
        }
        assert_eq!(text, "one two three");
    });
}

/// Puts a release in the place of the first one, and returns the code of its refusal.
struct Bad {
    name: &'static str,
    code: &'static str,
    bundle: WrittenBundle,
}

fn bad_releases(acme: &Publisher) -> Vec<Bad> {
    let bad = |name, code, bundle: BundleBuilder<'_>| Bad {
        name,
        code,
        bundle: bundle.write(),
    };
    let second = || release(acme, 9);
    let stranger = Publisher::new("acme");
    let rival = Publisher::new("rival");
    let mut all = vec![
        bad("a stranger's", "trust.unknown-key", release(&stranger, 9)),
        bad("a rival's", "trust.unknown-key", release(&rival, 9)),
        bad("another model", "trust.identity", second().named("other")),
        bad("an older one", "trust.rollback", release(acme, 4)),
        bad(
            "another of the same number",
            "trust.release-reused",
            release(acme, 5).set("/version", json!("1.0.1")),
        ),
        bad(
            "one that crashes in init",
            "guest.trap",
            second().component(test_guest("panics_in_init")),
        ),
        bad(
            "one that fails in init",
            "guest.error",
            second().component(test_guest("fails_in_init")),
        ),
        bad(
            "one that wants a network",
            "admission.import",
            second().component(test_guest("imports_sockets")),
        ),
        bad(
            "one that wants more than it may",
            "admission.limit",
            second().set("/limits/memory_bytes", json!(64_u64 << 30)),
        ),
        bad(
            "one that is no component",
            "compile.failed",
            second().component(b"nothing".to_vec()),
        ),
    ];
    let spoilt = |name, code, spoil: &dyn Fn(&WrittenBundle)| {
        let bundle = second().write();
        spoil(&bundle);
        Bad { name, code, bundle }
    };
    let write = |bundle: &WrittenBundle, file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = bundle.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    };
    all.push(spoilt("a flipped byte", "file.digest", &|bundle| {
        write(bundle, "component.wasm", &|bytes| bytes[99] ^= 1);
    }));
    all.push(spoilt("a cut file", "file.size", &|bundle| {
        write(bundle, "data.bin", &|bytes| bytes.truncate(1));
    }));
    all.push(spoilt("a cut envelope", "envelope.malformed", &|bundle| {
        write(bundle, ENVELOPE_FILE, &|bytes| {
            bytes.truncate(bytes.len() / 2);
        });
    }));
    all.push(spoilt("no signature", "signature.missing", &|bundle| {
        write(bundle, ENVELOPE_FILE, &|bytes| {
            let payload = Envelope::parse(bytes).unwrap().payload().to_vec();
            *bytes = Envelope::sign(payload, &[]).unwrap().to_bytes().unwrap();
        });
    }));
    all
}

#[test]
fn a_bad_release_leaves_the_one_before_it_serving_and_says_why() {
    let acme = Publisher::new("acme");
    for delivery in [Delivery::Rename, Delivery::Overwrite] {
        let mut place = Place::new(delivery, &release(&acme, 5).write());
        let live = follow(&host_trusting(&acme), &place);
        for bad in bad_releases(&acme) {
            place.put(&bad.bundle);
            assert_eq!(look(&live), Err(bad.code.to_owned()), "{}", bad.name);
            let refusal = live.refusal().unwrap();
            assert_eq!(refusal.code(), bad.code, "{}", bad.name);
            assert_eq!(refusal.to_string(), refusal.error().to_string());
            assert_eq!(
                refusal.manifest_digest().is_none(),
                bad.code == "envelope.malformed",
            );
            assert_eq!(answering(&live), 5.0, "{}", bad.name);
        }
        place.put(&release(&acme, 6).write());
        assert_eq!(look(&live), Ok(6));
        assert!(live.refusal().is_none());
        assert_eq!(answering(&live), 6.0);
    }
}

#[test]
fn a_model_whose_place_is_empty_serves_on() {
    let acme = Publisher::new("acme");
    let place = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let live = follow(&host_trusting(&acme), &place);
    let away = place.path().with_extension("away");
    fs::rename(place.path(), &away).unwrap();
    assert_eq!(look(&live), Err("envelope.missing".to_owned()));
    assert_eq!(answering(&live), 1.0);
    fs::rename(away, place.path()).unwrap();
    assert_eq!(look(&live), Ok(1));
    assert!(live.refusal().is_none());
}

#[test]
fn a_release_that_is_half_copied_is_taken_once_it_is_whole() {
    let acme = Publisher::new("acme");
    let place = Place::new(Delivery::Overwrite, &release(&acme, 1).write());
    let live = follow(&host_trusting(&acme), &place);
    let next = release(&acme, 2).write();
    let copy = |name: &str| fs::copy(next.path().join(name), place.path().join(name)).unwrap();
    copy(ENVELOPE_FILE);
    wear_out(&live, "file.size");
    assert_eq!(answering(&live), 1.0);
    copy("data.bin");
    within_seconds(2.0, &live);
    assert!(live.refusal().is_none());
}

#[test]
fn a_release_that_is_trusted_later_is_taken_then() {
    let (acme, new_key) = (Publisher::new("acme"), Publisher::new("acme"));
    let host = host_trusting(&acme);
    let mut place = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let live = follow(&host, &place);
    place.put(&release(&new_key, 2).write());
    wear_out(&live, "trust.unknown-key");
    let mut trust = acme.trust();
    trust
        .insert(new_key.public_key().clone(), ["acme"])
        .unwrap();
    host.replace_trust(trust);
    within_seconds(2.0, &live);
}

#[test]
fn a_revoked_release_is_replaced_by_a_newer_one() {
    let acme = Publisher::new("acme");
    let duty = SecretKey::generate().unwrap();
    let host = host_trusting(&acme);
    let mut place = Place::new(Delivery::Link, &release(&acme, 1).write());
    let live = follow(&host, &place);
    let expires = "2099-01-01T00:00:00Z".parse().unwrap();
    let list = RevocationList::new("fleet", expires)
        .unwrap()
        .with(Revoked::Manifest(live.model().manifest_digest()), None)
        .unwrap();
    let signed = SignedRevocations::sign(list.to_json().unwrap().into_bytes(), &[&duty]).unwrap();
    let role = Role::new([duty.public_key().clone()], 1.try_into().unwrap()).unwrap();
    let mut trust = acme.trust();
    trust.set_revocation_authority(Some(RevocationAuthority::new("fleet", role).unwrap()));
    trust.accept_revocations(&signed).unwrap();
    host.replace_trust(trust);
    assert_eq!(ask(&live.model()).unwrap_err().code(), "trust.revoked");
    place.put(&release(&acme, 2).write());
    assert_eq!(look(&live), Ok(2));
    assert_eq!(answering(&live), 2.0);
}

#[test]
fn the_same_release_with_the_signature_that_is_needed_now_is_taken_without_compiling() {
    let (acme, new_key) = (Publisher::new("acme"), Publisher::new("acme"));
    let host = host_trusting(&acme);
    let mut place = Place::new(Delivery::Overwrite, &release(&acme, 1).write());
    let live = follow(&host, &place);
    let digest = live.model().manifest_digest();
    host.replace_trust(new_key.trust());
    assert_eq!(ask(&live.model()).unwrap_err().code(), "trust.unknown-key");
    place.put(&release(&new_key, 1).write());
    assert_eq!(look(&live), Ok(1));
    assert_eq!(answering(&live), 1.0);
    assert_eq!(live.model().manifest_digest(), digest);
    assert_eq!(live.model().code_origin(), CodeOrigin::Shared);
}

#[test]
fn an_older_release_is_taken_where_the_operator_allows_it() {
    let acme = Publisher::new("acme");
    let mut place = Place::new(Delivery::Rename, &release(&acme, 2).write());
    let options = LoadOptions {
        rollback: RollbackProtection::AllowDowngrade,
        ..LoadOptions::default()
    };
    let live = block_on(host_trusting(&acme).follow(place.path(), options)).unwrap();
    place.put(&release(&acme, 1).write());
    assert_eq!(look(&live), Ok(1));
    assert_eq!(answering(&live), 1.0);
}

#[test]
fn a_release_is_remembered_once_it_runs_and_not_when_it_fails() {
    let acme = Publisher::new("acme");
    let state = tempfile::tempdir().unwrap();
    let releases = ReleaseState::in_directory(state.path());
    let host = Host::builder()
        .trust(acme.trust())
        .releases(releases.clone())
        .build()
        .unwrap();
    let seen = || releases.seen().unwrap()["acme/test"].release;
    let mut place = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let live = follow(&host, &place);
    assert_eq!(seen(), 1);
    let crashing = release(&acme, 3).component(test_guest("panics_in_init"));
    place.put(&crashing.write());
    assert_eq!(look(&live), Err("guest.trap".to_owned()));
    assert_eq!(seen(), 1);
    place.put(&release(&acme, 2).write());
    assert_eq!(look(&live), Ok(2));
    assert_eq!(seen(), 2);
}

#[test]
fn requests_are_answered_at_once_while_a_candidate_takes_its_time() {
    let acme = Publisher::new("acme");
    let mut place = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let live = follow(&host_trusting(&acme), &place);
    let slow = release(&acme, 2).component(test_guest("spins_in_init"));
    place.put(&slow.write());
    let looking = std::thread::spawn({
        let live = live.clone();
        move || look(&live)
    });
    let (mut answers, mut slowest) = (0, Duration::ZERO);
    while !looking.is_finished() {
        let asked = Instant::now();
        assert_eq!(answering(&live), 1.0);
        slowest = slowest.max(asked.elapsed());
        answers += 1;
    }
    assert_eq!(looking.join().unwrap(), Err("limit.deadline".to_owned()));
    // `init` may take three seconds.
    assert!(
        answers > 10 && slowest < Duration::from_secs(2),
        "{answers}, {slowest:?}"
    );
}

#[test]
fn a_candidate_that_takes_its_time_delays_no_other_model() {
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    let mut slow = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let mut quick = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let (slow_live, live) = (follow(&host, &slow), follow(&host, &quick));
    let endless = release(&acme, 2)
        .component(test_guest("spins_in_init"))
        .set("/limits/init/deadline_ms", json!(60_000))
        .set("/limits/init/fuel", json!(1_000_000_000_000_u64));
    slow.put(&endless.write());
    block_on(async {
        let both = async {
            // Long enough for the other load to be in the middle of `init`.
            tokio::time::sleep(Duration::from_millis(500)).await;
            quick.put(&release(&acme, 2).write());
            let model = live.look_again().await.unwrap();
            assert_eq!(model.manifest().release(), 2);
            // And without being asked.
            quick.put(&release(&acme, 3).write());
            let mut changes = live.changes();
            let next = tokio::time::timeout(Duration::from_secs(30), changes.next());
            assert_eq!(next.await.unwrap().unwrap().manifest().release(), 3);
        };
        tokio::select! {
            looked = slow_live.look_again() => panic!("{:?}", looked.err()),
            () = both => {}
        }
    });
}

#[test]
fn the_releases_that_take_over_come_as_a_stream_until_nobody_follows() {
    let acme = Publisher::new("acme");
    let mut place = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let live = follow(&host_trusting(&acme), &place);
    let mut changes = live.changes();
    let following = std::thread::spawn(move || {
        let mut releases = Vec::new();
        while let Some(model) = block_on(changes.next()) {
            releases.push(model.manifest().release());
        }
        releases
    });
    place.put(&release(&acme, 2).write());
    assert_eq!(look(&live), Ok(2));
    let stranger = Publisher::new("acme");
    place.put(&release(&stranger, 3).write());
    assert_eq!(look(&live), Err("trust.unknown-key".to_owned()));
    // A stream that is asked late has the newest, and no refusal.
    let mut late = live.changes();
    place.put(&release(&acme, 4).write());
    assert_eq!(look(&live), Ok(4));
    place.put(&release(&acme, 5).write());
    assert_eq!(look(&live), Ok(5));
    assert_eq!(block_on(late.next()).unwrap().manifest().release(), 5);
    drop(live);
    assert!(block_on(late.next()).is_none());
    let seen = following.join().unwrap();
    assert!(seen.starts_with(&[2]) && seen.ends_with(&[5]), "{seen:?}");
}

#[test]
fn a_busy_host_moves_on_as_soon_as_it_has_a_place_for_a_sandbox() {
    let acme = Publisher::new("acme");
    let (mut limits, mut place) = generating(&acme);
    limits.sandboxes = 1;
    let live = follow(&host_with_limits(&acme, limits), &place);
    let request = GenerationRequest::question("one two", 10);
    let mut generation = block_on(live.model().generate(request)).unwrap();
    place.put(&release(&acme, 2).write());
    let looking = std::thread::spawn({
        let live = live.clone();
        move || look(&live)
    });
    std::thread::sleep(Duration::from_secs(1));
    assert!(!looking.is_finished());
    let mut text = String::new();
    while let Some(chunk) = block_on(generation.next()).unwrap() {
        text.push_str(&chunk.text);
    }
    assert_eq!(text, "one two");
    assert_eq!(looking.join().unwrap(), Ok(2));
    assert_eq!(answering(&live), 2.0);
}

#[test]
fn a_candidate_is_tried_again_after_a_pause_though_nothing_of_it_has_changed() {
    let acme = Publisher::new("acme");
    let state = tempfile::tempdir().unwrap();
    let host = Host::builder()
        .trust(acme.trust())
        .releases(ReleaseState::in_directory(state.path()))
        .build()
        .unwrap();
    let mut place = Place::new(Delivery::Rename, &release(&acme, 1).write());
    let live = follow(&host, &place);
    set_mode(state.path(), 0o777);
    place.put(&release(&acme, 2).write());
    assert_eq!(look(&live), Err("trust.permissions".to_owned()));
    set_mode(state.path(), 0o700);
    within_seconds(2.0, &live);
}
