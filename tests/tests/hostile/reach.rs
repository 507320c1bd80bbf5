//! The reach of guests: their own files while they load, and nothing of the host or of others.

use super::*;

#[test]
fn assets_answer_only_within_the_files_and_the_time_of_init() {
    let acme = acme();
    let host = host_trusting(&acme);
    let guests = [
        ("assets_out_of_range", "asset.out-of-range"),
        ("assets_unknown_name", "asset.not-found"),
        ("assets_outside_init", "asset.closed"),
    ];
    assert_codes(
        guests.map(|(guest, code)| {
            let bundle = acme
                .bundle(test_guest(guest))
                .file("data.bin", (0..=255).collect());
            let error = block_on(ask(&host, bundle)).unwrap_err();
            assert!(error.to_string().contains(code), "{guest}: {error}");
            assert_serves(&acme, &host);
            error
        }),
        &["guest.error"],
    );
}

#[test]
fn a_guest_that_opens_files_finds_none() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(&host, acme.bundle(test_guest("opens_files")))).unwrap();
    // The guest answers with how many of its attempts succeeded.
    assert_eq!(answer.output.values, [0.0]);
}

#[test]
fn a_guest_sees_no_arguments_environment_or_input() {
    let acme = acme();
    let host = host_trusting(&acme);
    let answer = block_on(ask(&host, acme.bundle(test_guest("inspects_environment")))).unwrap();
    assert!(
        answer.output.values.iter().all(|found| *found == 0.0),
        "{answer:?}"
    );
}

#[test]
fn a_giant_asset_read_is_clamped() {
    let acme = acme();
    let host = host_trusting(&acme);
    for (size, expected) in [(9 << 20, 4 << 20), (1_000, 1_000)] {
        let bundle = acme
            .bundle(test_guest("assets_giant_length"))
            .file("data.bin", vec![1; size]);
        let answer = block_on(ask(&host, bundle)).unwrap();
        // The guest answers with how many bytes it was given.
        assert_eq!(answer.output.values, [expected as f32]);
    }
}

#[test]
fn a_request_finds_nothing_of_the_one_before_it() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(&host, acme.bundle(test_guest("remembers"))));
    for round in 0..20 {
        let secret = format!("the secret of round {round}");
        // The guest keeps every text, and looks in all of its memory for the first one backwards.
        let backwards: String = secret.chars().rev().collect();
        block_on(model.embed_text(&[&secret])).unwrap();
        let answer = block_on(model.embed_text(&[&backwards])).unwrap();
        assert_eq!(answer.output.values, [1.0, 0.0]);
    }
}

#[test]
fn a_guests_clock_is_coarse_and_its_randomness_fresh() {
    let acme = acme();
    let host = host_trusting(&acme);
    let model = block_on(load(
        &host,
        acme.bundle(test_guest("reads_clock_and_random")),
    ));
    let first = block_on(model.embed_text(&["x"])).unwrap().output.values;
    let second = block_on(model.embed_text(&["x"])).unwrap().output.values;
    for step in [first[0], first[1], second[0], second[1]] {
        assert!(step == 0.0 || step >= 1_000_000.0, "a step of {step} ns");
    }
    assert_ne!(first[2], second[2]);
    assert_ne!(first[3], second[3]);
    assert_eq!(first[4..], [1_000_000.0, 0.0, 0.0]);
}

#[test]
fn a_guests_clock_is_as_coarse_as_the_operator_says() {
    let acme = acme();
    let bundle = acme.bundle(test_guest("reads_clock_and_random"));
    let bundle = bundle.set("/limits/deadline_ms", json!(60_000)).write();
    let mut limits = Limits::default();
    limits.deadline = Duration::from_secs(60);
    for resolution in [100_000_u32, 1_000, 1]
        .map(u64::from)
        .map(Duration::from_micros)
    {
        let host = Host::builder().trust(acme.trust()).limits(limits.clone());
        let host = host.clock_resolution(resolution).build().unwrap();
        let model = block_on(host.load(bundle.path())).unwrap();
        let answer = block_on(model.embed_text(&["x"])).unwrap().output.values;
        let nanos = resolution.as_nanos() as f32;
        for step in &answer[..2] {
            assert!(
                *step == 0.0 || *step >= nanos,
                "{resolution:?}: a step of {step} ns"
            );
        }
        assert_eq!(answer[4..], [nanos, 0.0, 0.0]);
    }
    let too_fine = Host::builder().clock_resolution(Duration::from_nanos(1));
    assert_eq!(too_fine.build().err().unwrap().code(), "usage.limits");
}
