//! The model that is part of the `ampoule` command: it is built from the source beside it, it answers without any
//! set-up, and its key is trusted for no other model.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic"
)]

use std::path::Path;
use std::time::Duration;

use ampoule::{Model, PublicKey, SandboxStart, Sha256Digest, TrustStore};
use ampoule_tests::{
    Operator, ampoule, assert_fails, block_on, built_in, built_in_folder, built_in_with_deadline,
    evaluation_sample, json_of, largest_snapshot, tiny_vlm, workspace_file,
};
use serde_json::{Value, json};

/// One in so many questions of the evaluation is asked of both components, where another compiler built one of them:
/// some 440 of every set and kind, in two minutes.
const QUESTION_STEP: usize = 10;

/// Returns the limits that the built-in bundle asks for.
const DEADLINE: Duration = Duration::from_secs(5);

fn committed(name: &str) -> Vec<u8> {
    std::fs::read(built_in_folder().join(name)).unwrap()
}

fn json_file(path: &Path) -> Value {
    let text = std::fs::read(path);
    let text = text.unwrap_or_else(|error| panic_with(path, &error));
    serde_json::from_slice(&text).unwrap()
}

fn panic_with(path: &Path, error: &std::io::Error) -> Vec<u8> {
    panic!("{}: {error}; run `cargo xtask guests`", path.display())
}

fn public_key() -> PublicKey {
    PublicKey::from_pem(&String::from_utf8(committed("publisher.pub.pem")).unwrap()).unwrap()
}

/// Loads the built-in bundle under the command's rule for it.
fn committed_model() -> Model {
    let (host, bundle) = built_in();
    block_on(host.load_bundle(bundle)).unwrap()
}

#[test]
fn the_built_in_component_comes_from_the_committed_source() {
    let provenance = json_file(&built_in_folder().join("provenance.json"));
    let component = committed("component.wasm");
    assert_eq!(
        provenance["component_sha256"],
        Sha256Digest::of(&component).to_string()
    );
    // What `cargo xtask guests` built the source with, just now.
    let toolchain = json_file(&workspace_file("target/guests/toolchain.json"));
    let is_same_toolchain = toolchain
        .as_object()
        .unwrap()
        .iter()
        .all(|(field, value)| provenance[field] == *value);
    if is_same_toolchain {
        assert!(
            tiny_vlm() == component,
            "the source changed since; run `cargo xtask bundle tiny-vlm` and commit what it makes"
        );
        // The same bytes give the same answers.
        return;
    }
    // By another compiler the bytes may differ, the answers may not.
    let (committed, rebuilt) = (committed_model(), built_in_with_deadline(DEADLINE));
    for question in evaluation_sample(QUESTION_STEP) {
        let expected = block_on(question.ask(&committed)).unwrap();
        let found = block_on(question.ask(&rebuilt)).unwrap();
        assert_eq!(found, expected, "{}: {}", question.image, question.question);
    }
}

#[test]
fn the_built_in_weights_are_those_of_the_source() {
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let source = workspace_file("guest/models/tiny-vlm/weights").join(name);
        assert!(
            std::fs::read(source).unwrap() == committed(name),
            "{name} changed since; run `cargo xtask bundle tiny-vlm` and commit what it makes"
        );
    }
}

#[test]
fn nothing_but_the_bundle_its_public_key_and_its_provenance_is_kept() {
    let mut names = Vec::new();
    let mut bytes = 0;
    for entry in std::fs::read_dir(built_in_folder()).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.file_name().into_string().unwrap());
        bytes += entry.metadata().unwrap().len();
        let content = std::fs::read(entry.path()).unwrap();
        let private = b"PRIVATE KEY-----";
        assert!(
            !content.windows(private.len()).any(|part| part == private),
            "{:?}",
            entry.path()
        );
    }
    names.sort();
    assert_eq!(
        names,
        [
            "ampoule.dsse.json",
            "component.wasm",
            "config.json",
            "model.safetensors",
            "provenance.json",
            "publisher.pub.pem",
            "tokenizer.json"
        ]
    );
    assert!(bytes < 12_000_000, "{bytes} bytes go into every build");
}

#[test]
fn the_built_in_model_answers_without_a_model_a_trust_directory_or_a_setting() {
    let image = workspace_file("guest/models/tiny-vlm/eval/images/scenes-000.jpeg");
    let run = |arguments: &[&str]| {
        let output = ampoule()
            .args(arguments)
            .arg("--image")
            .arg(&image)
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    };
    let asked = run(&["ask", "how many shapes are there?"]);
    let text = String::from_utf8(asked.stdout).unwrap();
    assert!(text.ends_with('\n') && text.trim().len() > 3, "{text:?}");

    let classified = json_of(&run(&["classify", "--json", "--top-k", "2"]));
    assert_eq!(classified["model"]["publisher"], "ampoule");
    assert_eq!(classified["model"]["name"], "tiny-vlm");
    let labels = classified["labels"].as_array().unwrap();
    assert_eq!(labels.len(), 2);
    let score = |index: usize| labels[index]["score"].as_f64().unwrap();
    assert!(labels[0]["name"].is_string() && score(0) >= score(1));

    let embedded = json_of(&run(&["embed", "--json"]));
    let mut keys: Vec<_> = embedded.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["embeddings", "model", "sandbox", "usage"]);
    assert_eq!(embedded["embeddings"].as_array().unwrap().len(), 1);
    let values = embedded["embeddings"][0].as_array().unwrap();
    let squares = values.iter().map(|value| value.as_f64().unwrap().powi(2));
    assert!((squares.sum::<f64>().sqrt() - 1.0).abs() < 1e-3);
    assert!(embedded["usage"]["input_tokens"].as_u64().unwrap() > 0);
    let two = run(&["embed", "--json", "--image", image.to_str().unwrap()]);
    let vectors = json_of(&two)["embeddings"].as_array().unwrap().clone();
    assert_eq!(vectors, vec![embedded["embeddings"][0].clone(); 2]);
}

#[test]
fn what_the_built_in_model_does_not_offer_says_to_name_another() {
    let output = ampoule()
        .args(["embed", "--json", "a text"])
        .output()
        .unwrap();
    assert_fails(&output, "usage.built-in", 2);
    let message = json_of(&output)["error"]["message"].to_string();
    assert!(message.contains("--model"), "{message}");
}

#[test]
fn inspect_without_a_bundle_shows_the_built_in_model() {
    let output = ampoule().args(["inspect", "--json"]).output().unwrap();
    let document = json_of(&output);
    assert_eq!(document["verdict"]["trusted"], true);
    assert_eq!(document["manifest"]["name"], "tiny-vlm");
    assert_eq!(
        document["signatures"],
        json!([public_key().key_id().to_string()])
    );
}

#[test]
fn the_built_in_key_is_no_operators_key() {
    let operator = Operator::new();
    // The very same bundle, named like a stranger's: only whom the operator trusts counts.
    let verify = |operator: &Operator| {
        let mut command = operator.ampoule(&["verify", "--json"]);
        command.arg(built_in_folder()).output().unwrap()
    };
    assert_fails(&verify(&operator), "trust.unknown-key", 3);
    TrustStore::update(operator.trust(), |store| {
        store.insert_model(public_key(), "ampoule", "another")
    })
    .unwrap();
    assert_fails(&verify(&operator), "trust.model", 3);
}

#[test]
fn the_built_in_models_sandboxes_begin_with_the_packed_weights_and_little_else() {
    let model = committed_model();
    let weights = model
        .info()
        .properties
        .iter()
        .find(|(key, _)| key == "weights.bytes");
    let weights: u64 = weights.unwrap().1.parse().unwrap();
    let SandboxStart::Snapshot { memory } = model.sandbox_start() else {
        panic!("{:?}", model.sandbox_start());
    };
    println!("{weights} bytes of weights in a snapshot of {memory}");
    assert!(
        weights > 4 << 20 && memory.bytes() <= largest_snapshot(weights),
        "{memory}"
    );
}

#[test]
fn limits_hold_for_the_built_in_model_too() {
    let image = workspace_file("guest/models/tiny-vlm/eval/images/scenes-000.jpeg");
    let ask = |limit: [&str; 2]| {
        let mut command = ampoule();
        command
            .args(["ask", "--json", "what?", "--image"])
            .arg(&image);
        command.args(limit).output().unwrap()
    };
    assert_fails(&ask(["--memory", "1MiB"]), "limit.memory", 5);
    assert_fails(&ask(["--init-memory", "1MiB"]), "admission.limit", 4);
    assert_fails(&ask(["--image-bytes", "100"]), "input.too-large", 7);
    assert_fails(&ask(["--bundle-bytes", "100"]), "file.too-large", 3);
}
