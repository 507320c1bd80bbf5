//! The shapes of JSON documents: their keys and the types of their values, pinned in `json_shapes.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ampoule_tests::{Operator, json_of, sample_picture, workspace_file};
use serde_json::Value;

const PINNED: &str = "tests/tests/command_line/json_shapes.txt";

/// Programs read these documents: a key that goes, or a value of another type, breaks them.
#[test]
fn the_documents_of_commands_keep_their_keys_and_the_types_of_their_values() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let bundle = bundle.path().to_str().unwrap();
    let picture = sample_picture();
    let picture = picture.to_str().unwrap();
    // Pictures go to the built-in model, which can decode them.
    let commands: [(&str, &[&str]); 7] = [
        ("embed", &["hello", "--model", bundle]),
        ("embed --image", &["--image", picture]),
        ("classify", &["--image", picture]),
        ("ask", &["what is this?", "--model", bundle]),
        ("inspect", &[bundle]),
        (
            "bench",
            &[bundle, "--rounds", "1", "--prompt", "x", "--runs", "1"],
        ),
        ("an error", &["embed"]),
    ];
    let mut found = String::new();
    for (name, arguments) in commands {
        // `--image` stands in the name only to tell two commands of one word apart.
        let command = name.split(' ').next().filter(|word| *word != "an");
        let mut ampoule = operator.ampoule(&["--json"]);
        let output = ampoule.args(command).args(arguments).output().unwrap();
        let document = json_of(&output);
        assert_eq!(
            document.get("error").is_some(),
            name == "an error",
            "{document}"
        );
        writeln!(found, "{name}\n{}", lines(&document)).unwrap();
    }
    found.pop();
    let pinned = std::fs::read_to_string(workspace_file(PINNED)).unwrap();
    assert!(
        found == pinned,
        "the shapes differ from {PINNED}; if that is meant, replace it by\n{found}"
    );
}

/// Writes a line for each value of a document: its JSON pointer, with `*` for any place in a list, and its types.
fn lines(document: &Value) -> String {
    let mut types = BTreeMap::new();
    collect(document, "", &mut types);
    types.remove("");
    let line = |(pointer, types): (String, Vec<&str>)| format!("  {pointer} {}\n", types.join("|"));
    types.into_iter().map(line).collect()
}

fn collect(value: &Value, pointer: &str, types: &mut BTreeMap<String, Vec<&'static str>>) {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(values) => {
            for value in values {
                collect(value, &format!("{pointer}/*"), types);
            }
            "list"
        }
        Value::Object(values) => {
            for (key, value) in values {
                collect(value, &format!("{pointer}/{key}"), types);
            }
            "object"
        }
    };
    let known = types.entry(pointer.to_owned()).or_default();
    if !known.contains(&name) {
        known.push(name);
        known.sort_unstable();
    }
}
