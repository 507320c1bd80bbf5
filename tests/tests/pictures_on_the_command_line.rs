//! `ampoule ask`, `classify`, `embed --image` and `bench` as an operator meets them: the printed text, the JSON, and
//! pictures that are refused before anything runs.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use ampoule_tests::{
    Operator, WrittenBundle, ampoule, assert_fails, json_of, png_header, test_guest,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An operator with a bundle whose model repeats the question, and a folder for pictures.
struct Scene {
    operator: Operator,
    bundle: WrittenBundle,
    pictures: TempDir,
}

impl Scene {
    fn new() -> Self {
        let operator = Operator::new();
        let bundle = operator.good().write();
        Self {
            operator,
            bundle,
            pictures: tempfile::tempdir().unwrap(),
        }
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = self.operator.ampoule(&[subcommand, "--model"]);
        command.arg(self.bundle.path());
        command
    }

    fn run(&self, subcommand: &str, arguments: &[&str]) -> Output {
        self.command(subcommand).args(arguments).output().unwrap()
    }

    fn bench(&self, arguments: &[&str]) -> Output {
        let mut command = self.operator.ampoule(&["bench"]);
        command.arg(self.bundle.path()).args(arguments);
        command.output().unwrap()
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.run("ask", &[&["--json"], arguments].concat());
        let document = json_of(&output);
        assert!(output.status.success(), "{document}");
        document
    }

    fn picture(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.pictures.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn png(&self, width: u32, height: u32) -> String {
        let path = self.picture(&format!("{width}x{height}.png"), &png_header(width, height));
        path.into_os_string().into_string().unwrap()
    }
}

fn keys(document: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = document.as_object().unwrap().keys().collect();
    keys.sort();
    keys.into_iter().map(String::as_str).collect()
}

#[test]
fn ask_prints_the_documented_json() {
    let scene = Scene::new();
    let (one, two) = (scene.png(3, 5), scene.png(640, 480));
    let document = scene.ask(&["--image", &one, "--image", &two, "which is larger?"]);
    assert_eq!(
        keys(&document),
        ["finish_reason", "model", "sandbox", "text", "usage"]
    );
    assert_eq!(document["text"], "[3x5] [640x480] which is larger?");
    assert_eq!(document["finish_reason"], "stop");
    assert_eq!(
        document["usage"],
        json!({ "input_tokens": 5, "output_tokens": 5 })
    );
    assert_eq!(document["model"]["name"], "test");
    assert!(document["sandbox"]["fuel"].as_u64().unwrap() > 0);
}

#[test]
fn ask_prints_the_answer_and_a_line_end_and_nothing_else() {
    let scene = Scene::new();
    let output = scene.run("ask", &["one two three"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "one two three\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn an_answer_that_is_cut_short_says_so_beside_it() {
    let scene = Scene::new();
    let output = scene.run("ask", &["one two three", "--max-output-tokens", "2"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "one two\n");
    let note = String::from_utf8(output.stderr).unwrap();
    assert_eq!(note.lines().count(), 1, "{note}");
    assert!(note.contains("at 2 tokens; --max-output-tokens"), "{note}");
    let stopped = scene.run("ask", &["one two three", "--stop", "three"]);
    assert_eq!(String::from_utf8(stopped.stderr).unwrap(), "");
}

#[test]
fn every_picture_has_its_share_of_the_tokens_of_an_answer() {
    let scene = Scene::new();
    let png = scene.png(3, 5);
    // The model says one word for each picture, and these.
    let words = |count: usize| vec!["x"; count].join(" ");
    for (pictures, most) in [(0, 256), (1, 256), (2, 512)] {
        let images = ["--image", &png].repeat(pictures);
        for (said, reason) in [(most, "stop"), (most + 1, "length")] {
            let words = words(said - pictures);
            let arguments = [&["--text-chars", "2000", &words], &images[..]].concat();
            let document = scene.ask(&arguments);
            assert_eq!(document["finish_reason"], reason, "{pictures} {said}");
            assert_eq!(document["usage"]["output_tokens"], most);
        }
    }
}

#[test]
fn an_answer_cannot_steer_the_terminal() {
    let scene = Scene::new();
    let output = scene.run("ask", &["red \u{1b}[2J\u{7} \u{202e}der"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "red \u{fffd}[2J\u{fffd} \u{fffd}der\n");
}

#[test]
fn sampling_options_reach_the_model() {
    let scene = Scene::new();
    let words = "a b c d e f g h i j k l m n o p";
    let text = |arguments: &[&str]| {
        let document = scene.ask(&[arguments, &[words]].concat());
        document["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(text(&[]), words, "without options it is greedy");
    let seeded = text(&["--temperature", "1", "--seed", "7"]);
    assert_ne!(seeded, words);
    assert_eq!(text(&["--temperature", "0.5", "--seed", "7"]), seeded);
    assert_ne!(text(&["--temperature", "1", "--seed", "8"]), seeded);
    let unseeded = || text(&["--temperature", "1"]);
    assert_ne!(unseeded(), unseeded());
    assert_eq!(text(&["--temperature", "1", "--top-k", "1"]), words);
    assert_eq!(text(&["--max-output-tokens", "2"]), "a b");
    assert_eq!(text(&["--stop", "nothing", "--stop", "d"]), "a b c ");
    for (option, value) in [
        ("--temperature", "-1"),
        ("--temperature", "nan"),
        ("--top-p", "1.5"),
        ("--top-p", "-0.1"),
    ] {
        let output = scene.run("ask", &["--json", words, option, value]);
        assert_fails(&output, "input.invalid", 7);
    }
    assert_fails(
        &scene.run("ask", &["--json", words, "--seed", "-1"]),
        "usage.arguments",
        2,
    );
}

#[test]
fn one_picture_may_come_from_standard_input() {
    let scene = Scene::new();
    let with_input = |arguments: &[&str], input: &[u8]| {
        let mut child = scene
            .command("ask")
            .args(["--json", "what?"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses may have closed it already.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    };
    let png = scene.png(2, 2);
    let output = with_input(&["--image", &png, "--image", "-"], &png_header(7, 9));
    assert_eq!(json_of(&output)["text"], "[2x2] [7x9] what?");
    let twice = with_input(&["--image", "-", "--image", "-"], &png_header(7, 9));
    assert_fails(&twice, "usage.setting", 2);
    // Twice the limit, of which the command reads no more than it needs to refuse.
    let long = [png_header(7, 9), vec![0; 32 << 20]].concat();
    assert_fails(&with_input(&["--image", "-"], &long), "input.too-large", 7);
    assert_fails(&with_input(&["--image", "-"], b""), "input.invalid", 7);
}

#[test]
fn bad_pictures_are_refused_before_a_model_is_loaded() {
    let scene = Scene::new();
    let good = scene.png(1, 1);
    let nowhere = scene.pictures.path().join("nowhere.png");
    let large = [png_header(8, 8), vec![0; 16 << 20]].concat();
    let at_the_limit = &large[..16 << 20];
    let cases = [
        (scene.picture("empty.png", b""), "input.invalid", 7),
        (scene.picture("text.png", b"just text"), "input.invalid", 7),
        (
            scene.picture("cut.png", &png_header(9, 9)[..12]),
            "input.invalid",
            7,
        ),
        (
            scene.picture("bomb.png", &png_header(30_000, 30_000)),
            "input.too-large",
            7,
        ),
        (scene.picture("large.png", &large), "input.too-large", 7),
        (nowhere, "io.read", 8),
        (scene.pictures.path().to_owned(), "io.read", 8),
    ];
    for (path, code, status) in &cases {
        for (subcommand, arguments) in [
            ("ask", &["--model", "nowhere", "what?", "--image"][..]),
            ("classify", &["--model", "nowhere", "--image"]),
            ("embed", &["--model", "nowhere", "--image"]),
            ("bench", &["nowhere", "--prompt", "what?", "--image"]),
        ] {
            // No model exists: the picture is refused before one is looked for.
            let mut command = ampoule();
            command.args([subcommand, "--json", "--trust", "nowhere"]);
            let output = command.args(arguments).arg(path).output().unwrap();
            assert_fails(&output, code, *status);
        }
    }
    let (bomb, _, _) = &cases[3];
    let mut second = scene.command("ask");
    second.args(["--json", "what?", "--image", &good, "--image"]);
    let output = second.arg(bomb).output().unwrap();
    let message = json_of(&output)["error"]["message"].to_string();
    assert!(message.contains("image 2"), "{message}");

    let at_the_limit = scene.picture("limit.png", at_the_limit);
    let at_the_limit = at_the_limit.to_str().unwrap();
    assert_eq!(
        scene.ask(&["--image", at_the_limit, "x"])["text"],
        "[8x8] x"
    );
}

#[test]
fn a_hundred_pictures_in_one_request_are_refused() {
    let scene = Scene::new();
    let png = scene.png(1, 1);
    let hundred = ["--image", &png].repeat(100);
    let output = scene.run("ask", &[&["--json", "x"], &hundred[..]].concat());
    assert_fails(&output, "input.too-large", 7);
    let sixteen = ["--image", &png].repeat(16);
    scene.ask(&[&["x"], &sixteen[..]].concat());
}

#[test]
fn limits_on_pictures_are_the_operators_to_set() {
    let scene = Scene::new();
    let png = scene.png(20, 20);
    for limit in [
        ["--image-bytes", "20"],
        ["--image-pixels", "399"],
        ["--images", "0"],
    ] {
        let output = scene.run("ask", &["--json", "x", "--image", &png, limit[0], limit[1]]);
        assert_fails(&output, "input.too-large", 7);
    }
    scene.ask(&["x", "--image", &png, "--image-pixels", "400"]);
}

#[test]
fn a_prompt_over_the_limit_is_refused() {
    let scene = Scene::new();
    let output = scene.run("ask", &["--json", &"x".repeat(1_001)]);
    assert_fails(&output, "input.too-large", 7);
}

#[test]
fn embed_takes_texts_or_pictures_and_not_both() {
    let scene = Scene::new();
    let png = scene.png(1, 1);
    for arguments in [
        &["--json", "text", "--image", &png][..],
        &["--json"],
        &["--json", "--image"],
        // One file an option, as for `ask`.
        &["--json", "--image", &png, &png],
    ] {
        assert_fails(&scene.run("embed", arguments), "usage.arguments", 2);
    }
}

#[test]
fn what_a_model_does_not_offer_is_named() {
    let operator = Operator::new();
    let bundle = operator
        .publisher()
        .bundle(test_guest("guest_error"))
        .write();
    let output = operator
        .ampoule(&["ask", "--json", "x", "--model"])
        .arg(bundle.path())
        .output()
        .unwrap();
    assert_fails(&output, "usage.task", 2);
}

#[test]
fn bench_prints_the_documented_json() {
    let scene = Scene::new();
    let png = scene.png(4, 4);
    let sandboxes = ["--json", "--rounds", "20"];
    let answers = ["--image", &png, "--prompt", "one two three", "--runs", "3"];
    let document = json_of(&scene.bench(&[&sandboxes[..], &answers].concat()));
    assert_eq!(
        keys(&document),
        [
            "bare_instantiate_us",
            "drop_us",
            "first_call_us",
            "first_token_ms",
            "fresh_call_us",
            "fuel",
            "instantiate_us",
            "load_cold_ms",
            "load_warm_ms",
            "metering",
            "metering_ratio",
            "model",
            "output_tokens",
            "packed_weight_bytes",
            "peak_memory_bytes",
            "private_bytes_per_sandbox",
            "rounds",
            "runs",
            "snapshot_bytes",
            "start_ms",
            "tokens_per_second"
        ]
    );
    assert_eq!(document["rounds"], 20);
    assert_eq!(document["runs"], 3);
    assert_eq!(document["output_tokens"], 4.0);
    for field in [
        "first_token_ms",
        "fuel",
        "metering_ratio",
        "load_cold_ms",
        "load_warm_ms",
        "private_bytes_per_sandbox",
        "snapshot_bytes",
        "start_ms",
        "tokens_per_second",
    ] {
        assert!(document[field].as_f64().unwrap() > 0.0, "{field}");
    }
    for field in [
        "instantiate_us",
        "first_call_us",
        "fresh_call_us",
        "drop_us",
        "bare_instantiate_us",
    ] {
        let quantile = |name| document[field][name].as_f64().unwrap();
        assert!(0.0 < quantile("p50"), "{field}");
        assert!(quantile("p50") <= quantile("p99"), "{field}");
    }

    // Without a prompt, it is about sandboxes alone.
    let document = json_of(&scene.bench(&sandboxes));
    assert_eq!(document.get("tokens_per_second"), None);
    // This model offers every task; it is asked for the first that suits any text or picture.
    assert_eq!(document["metering"]["task"], "text-embedding");
    // It says nothing about its weights: it has none.
    assert_eq!(document["packed_weight_bytes"], Value::Null);
    let text = scene.bench(&["--rounds", "1", "--prompt", "x", "--runs", "1"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("first token") && text.contains("fuel and deadline on"),
        "{text}"
    );
    // A model that has no fuel for it is stopped here as anywhere.
    let bundle = scene
        .operator
        .good()
        .named("greedy")
        .set("/limits/fuel", json!(1_000))
        .write();
    let mut starved = scene
        .operator
        .ampoule(&["bench", "--json", "--rounds", "1", "--prompt", "x"]);
    assert_fails(
        &starved.arg(bundle.path()).output().unwrap(),
        "limit.fuel",
        5,
    );
}
