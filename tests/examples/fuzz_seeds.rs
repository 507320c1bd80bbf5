//! Writes the seeds of the host's fuzz targets: `fuzz_seeds DIR` makes a folder for each, with
//! right components, manifests and answers of guests, and variants that differ where a reader has to look.

#![allow(clippy::unwrap_used, reason = "whoever runs this reads why it failed")]

use std::fs;
use std::path::Path;

use ampoule_tests::{wat_guest, wat_guest_with};
use serde_json::{Value, json};

fn main() {
    let out = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "fuzz/corpus".to_owned());
    let out = Path::new(&out);
    write(out, "component", &components());
    write(out, "bundle", &bundles());
    write(out, "description", &descriptions());
    write(out, "lifting", &answers());
}

fn write(out: &Path, target: &str, files: &[(String, Vec<u8>)]) {
    fs::create_dir_all(out.join(target)).unwrap();
    for (name, bytes) in files {
        fs::write(out.join(target).join(name), bytes).unwrap();
    }
}

/// Guests that are refused for different reasons, and some that are not.
fn components() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = [
        "answers_wildly",
        "abuses_generations",
        "answers_with_its_input",
        "abuses_pollables",
        "exports_other_types",
        "imports_empty_interface",
        "imports_http",
        "imports_newer_log",
        "multiplies_instances",
        "sets_a_table",
        "starts_with_giant_memory",
        "uses_exceptions",
        "uses_gc",
        "uses_memory64",
        "uses_shared_memory",
        "grows_many_memories",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), wat_guest(name)))
    .collect();
    let whole = wat_guest("answers_wildly");
    files.push(("cut".to_owned(), whole[..whole.len() / 2].to_vec()));
    files.push(("header".to_owned(), whole[..8].to_vec()));
    files.push((
        "nested".to_owned(),
        wat_guest_with(
            "answers_wildly",
            r#"(component (component (core module) (core module (memory 9))) (import "a" (func)))"#,
        ),
    ));
    files.push((
        "custom_section".to_owned(),
        wat_guest_with("answers_wildly", r#"(@custom "name" "nonsense")"#),
    ));
    files.push(("core_module".to_owned(), b"\0asm\x01\0\0\0".to_vec()));
    files
}

/// A component's number, and a manifest with places for its length and digest.
fn bundles() -> Vec<(String, Vec<u8>)> {
    let good = json!({
        "schema": 1,
        "publisher": "acme",
        "name": "test",
        "version": "1.0.0",
        "release": 1,
        "created": "2026-01-01T00:00:00Z",
        "contract": "ampoule:model@0.1.0",
        "tasks": ["text-embedding"],
        "component": {
            "path": "component.wasm", "size": "@size", "digest": { "sha256": "@digest" },
        },
        "files": [{
            "path": "config.json", "size": "@file-size", "digest": { "sha256": "@file-digest" },
        }],
        "capabilities": [],
        "limits": {
            "memory_bytes": 67_108_864,
            "fuel": 1_000_000,
            "deadline_ms": 2_000,
            "output_bytes": 1_048_576,
            "init": { "memory_bytes": 134_217_728, "fuel": 2_000_000, "deadline_ms": 4_000 },
        },
        "annotations": {},
    });
    let changed = |name: &str, component: u8, pointer: &str, value: Value| {
        let mut manifest = good.clone();
        *manifest.pointer_mut(pointer).unwrap() = value;
        (name.to_owned(), input(component, &manifest))
    };
    let tasks = json!(["text-generation"]);
    let mut files = vec![
        ("good".to_owned(), input(0, &good)),
        changed("generation", 1, "/tasks", tasks.clone()),
        changed("task_not_exported", 0, "/tasks", tasks),
        changed("task_unknown", 0, "/tasks/0", json!("mind-reading")),
        changed("imports_http", 2, "/name", json!("web")),
        changed("no_component", 3, "/name", json!("nothing")),
        changed("capped", 0, "/name", json!("capped")),
        changed("another_publisher", 0, "/publisher", json!("globex")),
        changed(
            "another_contract",
            0,
            "/contract",
            json!("ampoule:model@0.2.0"),
        ),
        changed("a_capability", 0, "/capabilities", json!(["gpu"])),
        changed(
            "component_is_the_file",
            0,
            "/component/path",
            json!("config.json"),
        ),
        changed("file_missing", 0, "/files/0/path", json!("weights.bin")),
        changed("file_of_another_length", 0, "/files/0/size", json!(3)),
        changed(
            "endless_deadline",
            0,
            "/limits/deadline_ms",
            json!(u64::MAX),
        ),
        changed("endless_fuel", 0, "/limits/fuel", json!(u64::MAX)),
        changed("endless_output", 0, "/limits/output_bytes", json!(u64::MAX)),
        changed("little_fuel", 0, "/limits/init/fuel", json!(1)),
        changed("little_memory", 0, "/limits/memory_bytes", json!(1)),
        changed("little_output", 0, "/limits/output_bytes", json!(1)),
        changed("little_time", 0, "/limits/init/deadline_ms", json!(1)),
        changed(
            "endless_init",
            0,
            "/limits/init/deadline_ms",
            json!(u64::MAX),
        ),
    ];
    let mut expired = good.clone();
    expired["not_after"] = json!("2026-01-02T00:00:00Z");
    files.push(("expired".to_owned(), input(0, &expired)));
    files
}

fn input(component: u8, manifest: &Value) -> Vec<u8> {
    // Lengths are numbers.
    let text = manifest.to_string().replace("\"@size\"", "@size");
    let text = text.replace("\"@file-size\"", "@file-size");
    [&[component], text.as_bytes()].concat()
}

/// Makes seeds of a task, a number of inputs, and the guest's memory from its beginning on: the place of the answer,
/// of the logged text and of the answers of `next`, and from byte 32 on their contents.
fn answers() -> Vec<(String, Vec<u8>)> {
    const TOKENIZE: u8 = 0;
    const EMBED_TEXTS: u8 = 1;
    const EMBED_IMAGES: u8 = 2;
    const CLASSIFY: u8 = 3;
    const GENERATE: u8 = 4;
    const AT_32: &str = "32 0 0 0 0 0 0 0 ";
    const CHUNKS: &str = "32 0 0 0 40 72 0 0 0 1 ";
    [
        (TOKENIZE, 1, "tokens", AT_32, "0 44 1 56 2 1 7 8"),
        (
            TOKENIZE,
            2,
            "tokens_of_two",
            AT_32,
            "0 44 2 68 1 0 68 2 1 7 8",
        ),
        (TOKENIZE, 1, "tokens_without_end", AT_32, "0 44 0x20000000"),
        (
            TOKENIZE,
            3,
            "tokens_of_the_same_bytes",
            AT_32,
            "0 44 3 0 40 0 0 40 0 0 40 0",
        ),
        (TOKENIZE, 1, "no_such_case", AT_32, "2"),
        (TOKENIZE, 1, "answer_beyond_memory", "0x30000", ""),
        (TOKENIZE, 1, "answer_unaligned", "3", ""),
        (EMBED_TEXTS, 1, "vector", AT_32, "0 2 64 2 4 1 3 0 1.0 1.0"),
        (
            EMBED_TEXTS,
            3,
            "vectors",
            AT_32,
            "0 1 64 3 4 3 3 0 1.0 1.0 1.0",
        ),
        (
            EMBED_TEXTS,
            1,
            "vector_that_is_no_number",
            AT_32,
            "0 1 64 1 4 1 3 0 NaN",
        ),
        (
            EMBED_TEXTS,
            1,
            "vector_of_no_dimensions",
            AT_32,
            "0 0 64 0 4 1 3 0",
        ),
        (
            EMBED_TEXTS,
            1,
            "vector_unaligned",
            AT_32,
            "0 1 65 1 4 1 3 0",
        ),
        (
            EMBED_TEXTS,
            2,
            "vector_of_many_dimensions",
            AT_32,
            "0 0xffffffff 64 2 4 2 3 0",
        ),
        (
            EMBED_TEXTS,
            1,
            "vector_too_large",
            AT_32,
            "0 0x6000 64 0x6000 4 1 3 0",
        ),
        (
            EMBED_TEXTS,
            1,
            "flag_that_is_neither",
            AT_32,
            "0 1 64 1 68 1 3 0 1.0 7",
        ),
        (
            EMBED_TEXTS,
            1,
            "refusal",
            AT_32,
            "1 56 9 52 4 '\x1b[2J 'inpu 't.ab 'c",
        ),
        (
            EMBED_TEXTS,
            1,
            "message",
            "32 2 64 4 0 0 0 0 ",
            "0 0 0 0 4 1 0 0 '\x1b\n\ta",
        ),
        (
            EMBED_IMAGES,
            1,
            "vector_of_a_picture",
            AT_32,
            "0 1 56 1 3 0 1.0",
        ),
        (
            EMBED_IMAGES,
            2,
            "vectors_of_pictures",
            AT_32,
            "0 1 56 2 3 0 1.0 1.0",
        ),
        (
            CLASSIFY,
            2,
            "labels",
            AT_32,
            "0 44 2 68 3 1.0 69 2 1.0 'cat",
        ),
        (
            CLASSIFY,
            1,
            "too_many_labels",
            AT_32,
            "0 44 2 68 3 1.0 69 2 1.0 'cat",
        ),
        (
            CLASSIFY,
            1,
            "label_that_is_no_text",
            AT_32,
            "0 44 1 56 3 1.0 0xa0edfeff",
        ),
        (
            CLASSIFY,
            1,
            "label_without_score",
            AT_32,
            "0 44 1 56 3 NaN 'cat",
        ),
        (CLASSIFY, 1, "failure", AT_32, "1 52 7 52 4 'mode 'l.ab"),
        (
            CLASSIFY,
            1,
            "failure_beyond_memory",
            AT_32,
            "1 52 7 0x2ffff 4",
        ),
        (CLASSIFY, 1, "message_of_no_level", "32 9 64 4", ""),
        (
            CLASSIFY,
            1,
            "message_too_long",
            "32 1 0 0x18000 0 0 0 0 ",
            "0 0 0",
        ),
        (
            CLASSIFY,
            1,
            "message_beyond_memory",
            "32 1 0xffffffff 4",
            "",
        ),
        (
            GENERATE,
            0,
            "chunks",
            CHUNKS,
            "0 1 104 4 0 0 0 0 0 1 104 3 1 105 2 9 'cats",
        ),
        (
            GENERATE,
            0,
            "chunks_without_end",
            "32 0 0 0 40 40 40 40 ",
            "0 1 0 1 36 1 0 0 0 0",
        ),
        (GENERATE, 0, "no_chunk", CHUNKS, "0 0"),
        (GENERATE, 0, "chunk_failure", CHUNKS, "1 60 3 60 3 'a.b"),
        (GENERATE, 0, "no_such_handle", AT_32, "0 7"),
        (
            GENERATE,
            0,
            "no_generation",
            AT_32,
            "1 52 7 52 4 'mode 'l.ab",
        ),
    ]
    .into_iter()
    .map(|(task, count, name, header, answer)| {
        let memory = memory(&format!("{header}{answer}"));
        (name.to_owned(), [&[task, count][..], &memory].concat())
    })
    .collect()
}

/// Makes seeds of the places of the answers to `init` and `describe`, and of their contents.
fn descriptions() -> Vec<(String, Vec<u8>)> {
    [
        ("description", "0 @2 @10 4 @6 1 @10 2 @10 4 'bert"),
        (
            "two_properties",
            "0 @2 @14 4 @6 2 @14 2 @15 4 @15 2 @14 4 'bert 'text",
        ),
        (
            "properties_beyond_memory",
            "0 @2 @10 4 @6 2 @4 2 @10 4 'bert",
        ),
        (
            "properties_without_end",
            "0 @2 @10 4 @6 0x20000000 @4 2 @10 4 'bert",
        ),
        ("control_characters", "0 @2 @6 4 0 0 '\x1b[2J"),
        ("no_text", "0 @2 @6 4 0 0 0xa0edfeff"),
        ("too_much", "0 @2 0 0x18000 0 0"),
        ("beyond_memory", "0 0x2fffc"),
        ("init_fails", "@2 0 1 @7 4 @7 4 'mode"),
        ("init_poses_as_a_limit", "@2 0 1 @7 8 @7 8 'limi 't.ab"),
        ("init_of_no_case", "@2 0 3"),
        ("init_unaligned", "1 0"),
    ]
    .map(|(name, words)| (name.to_owned(), memory(words)))
    .into()
}

/// Words of four bytes: numbers, `'` before four characters, `@` before a word's place in the description.
fn memory(words: &str) -> Vec<u8> {
    const DESCRIPTION: u32 = 8192;
    let word = |word: &str| -> [u8; 4] {
        if let Some(text) = word.strip_prefix('\'') {
            let mut bytes = [0; 4];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            bytes
        } else if let Some(place) = word.strip_prefix('@') {
            (DESCRIPTION + 4 * place.parse::<u32>().unwrap()).to_le_bytes()
        } else if let Some(digits) = word.strip_prefix("0x") {
            u32::from_str_radix(digits, 16).unwrap().to_le_bytes()
        } else if let Ok(number) = word.parse::<u32>() {
            number.to_le_bytes()
        } else {
            word.parse::<f32>().unwrap().to_le_bytes()
        }
    };
    let words = words.split(' ').filter(|word| !word.is_empty());
    words.flat_map(word).collect()
}
