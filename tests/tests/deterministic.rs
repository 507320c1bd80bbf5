//! The deterministic profile: one request gives one answer, bit for bit, for one amount of fuel.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::time::Duration;

use ampoule::{Answer, EngineProfile, Host, Limits, TextEmbeddings};
use ampoule_tests::{Operator, Publisher, ampoule, block_on, json_of, test_guest, workspace_file};
use serde_json::json;

/// Returns the clocks and random numbers that a guest sees, in a host of its own each time.
fn sees(profile: EngineProfile) -> Answer<TextEmbeddings> {
    let publisher = Publisher::new("acme");
    let bundle = publisher
        .bundle(test_guest("reads_clock_and_random"))
        // It reads a clock that stands still a million times.
        .set("/limits/deadline_ms", json!(60_000))
        .write();
    let mut limits = Limits::default();
    limits.deadline = Duration::from_secs(60);
    let host = Host::builder()
        .trust(publisher.trust())
        .limits(limits)
        .profile(profile)
        .build()
        .unwrap();
    let model = block_on(host.load(bundle.path())).unwrap();
    block_on(model.embed_text(&["x"])).unwrap()
}

#[test]
fn time_and_chance_are_the_same_in_every_sandbox() {
    let [first, second] = [(); 2].map(|()| sees(EngineProfile::Deterministic));
    // Neither clock has moved, and both random numbers are the same.
    assert_eq!(first.output.values[..2], [0.0, 0.0]);
    assert_eq!(first.output.values, second.output.values);
    assert_eq!(first.sandbox.fuel, second.sandbox.fuel);
    // Without the profile they differ, or there would be nothing to see here.
    let other = [(); 2].map(|()| sees(EngineProfile::Metered).output.values);
    assert_ne!(other[0][2..], other[1][2..]);
}

#[test]
fn the_same_question_has_the_same_answer_and_the_same_cost() {
    let answers = [(); 2].map(|()| {
        let mut command = ampoule();
        // Without a seed of its own, a question with a temperature is answered anew each time.
        command.args(["ask", "--json", "--deterministic", "--temperature", "2"]);
        let output = command
            .arg("--image")
            .arg(workspace_file("samples/shapes.png"))
            .arg("what do you see in the picture?")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let document = json_of(&output);
        (
            document["text"].clone(),
            document["sandbox"]["fuel"].clone(),
        )
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn code_of_one_profile_is_not_taken_for_another() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let cache = tempfile::tempdir().unwrap();
    for (arguments, expected) in [(&[][..], 1), (&["--deterministic"], 2)] {
        let mut command = operator.ampoule(&["verify", "--cache"]);
        command.arg(cache.path()).args(arguments).arg(bundle.path());
        assert!(command.output().unwrap().status.success());
        let files = std::fs::read_dir(cache.path()).unwrap().flatten();
        let code = files.filter(|file| file.file_name().to_string_lossy().ends_with(".code"));
        assert_eq!(code.count(), expected, "{arguments:?}");
    }
}
