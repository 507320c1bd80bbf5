//! The first command of the README answers rightly, also for the other samples.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::process::Command;

use ampoule_tests::{Score, ampoule, json_of, workspace_file};
use serde_json::Value;

const QUESTION: &str = "what do you see in the picture?";

/// The pictures, and the shapes that `guest/models/tiny-vlm/train/samples.py` drew on them.
const SAMPLES: [(&str, &str); 3] = [
    ("samples/shapes.png", "blue square; red circle; yellow star"),
    (
        "samples/crowd.jpeg",
        "green heart; red star; red star; red star; orange triangle; purple diamond",
    ),
    ("samples/night.webp", "yellow circle; cyan star; pink cross"),
];

/// Makes `ampoule`, started from the folder that the README assumes.
fn ampoule_at_the_root() -> Command {
    let mut command = ampoule();
    command.current_dir(workspace_file(""));
    command
}

fn ask(picture: &str) -> String {
    let output = ampoule_at_the_root()
        .args(["ask", "--image", picture, QUESTION])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_readme_asks_about_a_sample_first() {
    let readme = std::fs::read_to_string(workspace_file("README.md")).unwrap();
    let first = readme.split("```sh\n").nth(1).unwrap();
    let command = format!(
        "cargo run --release -- ask --image {} \"{QUESTION}\"\n```",
        SAMPLES[0].0
    );
    assert!(first.starts_with(&command), "{first}");
    assert!(
        readme.contains(&format!("]({})", SAMPLES[0].0)),
        "it is shown"
    );
}

#[test]
fn every_thing_on_the_samples_is_seen_and_no_other() {
    for (picture, things) in SAMPLES {
        let answer = ask(picture);
        let score = Score::of_caption(things, answer.trim_end());
        assert!((score.f1() - 1.0).abs() < 1e-9, "{picture}: {answer}");
    }
}

#[test]
fn the_labels_of_a_sample_are_its_colours_shapes_and_number() {
    let expected = [
        "blue",
        "circle",
        "red",
        "square",
        "star",
        "three shapes",
        "yellow",
    ];
    let output = ampoule_at_the_root()
        .args(["classify", "--json", "--image", SAMPLES[0].0, "--top-k"])
        .arg((expected.len() + 1).to_string())
        .output()
        .unwrap();
    let document = json_of(&output);
    let labels = document["labels"].as_array().unwrap();
    let is_there = |label: &&Value| label["score"].as_f64().unwrap() > 0.5;
    let found: BTreeSet<&str> = labels
        .iter()
        .filter(is_there)
        .map(|label| label["name"].as_str().unwrap())
        .collect();
    assert_eq!(found, BTreeSet::from(expected), "{document}");
}
