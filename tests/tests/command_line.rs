//! The `ampoule` command as an operator meets it: JSON, exit statuses, one clear error.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "command_line/audit.rs"]
mod audit;
#[path = "command_line/json_documents.rs"]
mod json_documents;
#[path = "command_line/json_shapes.rs"]
mod json_shapes;
#[path = "command_line/keys.rs"]
mod keys;
#[path = "command_line/limits.rs"]
mod limits;
#[path = "command_line/standard_input.rs"]
mod standard_input;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ampoule_tests::{
    Operator, Publisher, WrittenBundle, ampoule, assert_fails, json_of, test_guest,
};
use serde_json::json;

/// Everything below a directory: names, bytes, modes.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>, u32)> {
    let mut all: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            (name, std::fs::read(entry.path()).unwrap(), mode)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn embed_prints_the_documented_json() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let output = operator.embed(bundle.path(), "hello");
    assert!(output.status.success());
    let document = json_of(&output);
    assert_eq!(document["model"]["name"], "test");
    assert_eq!(document["embeddings"].as_array().unwrap().len(), 1);
    assert!(document["embeddings"][0][0].is_number());
    assert!(document["usage"]["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(document["truncated"], json!([false]));
    for field in ["fuel", "peak_memory_bytes", "wall_ms"] {
        assert!(
            document["sandbox"][field].as_f64().unwrap() > 0.0,
            "{field}"
        );
    }
}

#[test]
fn each_kind_of_failure_has_its_exit_status() {
    let operator = Operator::new();
    let publisher = operator.publisher();
    let stranger = Publisher::new("acme");

    let cases: [(WrittenBundle, &str, i32); 6] = [
        (stranger.every_task().write(), "trust.unknown-key", 3),
        (
            publisher.bundle(test_guest("imports_sockets")).write(),
            "admission.import",
            4,
        ),
        (
            operator
                .good()
                .named("greedy")
                .set("/limits/fuel", json!(1_000))
                .write(),
            "limit.fuel",
            5,
        ),
        (
            publisher.bundle(test_guest("traps")).named("traps").write(),
            "guest.trap",
            6,
        ),
        (
            publisher.bundle(b"text".to_vec()).named("text").write(),
            "compile.failed",
            6,
        ),
        (
            publisher
                .bundle(test_guest("guest_error"))
                .named("error")
                .write(),
            "input.test",
            7,
        ),
    ];
    for (bundle, code, status) in &cases {
        let before = contents(bundle.path());
        assert_fails(&operator.embed(bundle.path(), "x"), code, *status);
        assert_eq!(contents(bundle.path()), before, "a refusal changes nothing");
    }
    let good = operator.good().write();
    let long = "x".repeat(1_001);
    assert_fails(&operator.embed(good.path(), &long), "input.too-large", 7);

    let without_trust = ampoule()
        .args(["embed", "--json", "x", "--model"])
        .arg(good.path())
        .output()
        .unwrap();
    assert_fails(&without_trust, "usage.trust", 2);
    let wrong = ampoule()
        .args(["embed", "--json", "--nonsense"])
        .output()
        .unwrap();
    assert_fails(&wrong, "usage.arguments", 2);
}

#[test]
fn what_is_no_bundle_gets_one_clear_error() {
    let operator = Operator::new();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "text").unwrap();
    for path in [dir.path(), &dir.path().join("nowhere")] {
        assert_fails(&operator.embed(path, "x"), "envelope.missing", 3);
    }
    assert_fails(&operator.embed(&file, "x"), "file.archive", 3);
    let bundle = operator.good().write();
    let envelope = bundle.path().join("ampoule.dsse.json");
    let bytes = std::fs::read(&envelope).unwrap();
    std::fs::write(&envelope, &bytes[..bytes.len() / 2]).unwrap();
    assert_fails(&operator.embed(bundle.path(), "x"), "envelope.malformed", 3);
}

#[test]
fn a_world_writable_bundle_or_trust_directory_is_refused() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(bundle.path(), 0o777);
    assert_fails(&operator.embed(bundle.path(), "x"), "trust.permissions", 3);
    chmod(bundle.path(), 0o755);
    chmod(operator.trust(), 0o777);
    assert_fails(&operator.embed(bundle.path(), "x"), "trust.permissions", 3);
    chmod(operator.trust(), 0o700);
    assert!(operator.embed(bundle.path(), "x").status.success());
}

#[test]
fn limits_come_from_flags_variables_and_the_file_in_this_order() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let config = operator.trust().join("ampoule.toml");
    std::fs::write(&config, "[limits]\nmemory = \"1MiB\"\n").unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let run = |flag: Option<&str>, variable: Option<&str>| {
        let mut command = operator.ampoule(&["embed", "--json", "x", "--model"]);
        command.arg(bundle.path()).arg("--config").arg(&config);
        if let Some(flag) = flag {
            command.args(["--memory", flag]);
        }
        if let Some(variable) = variable {
            command.env("AMPOULE_MEMORY", variable);
        }
        command.output().unwrap()
    };
    assert_fails(&run(None, None), "admission.limit", 4);
    assert!(run(None, Some("64MiB")).status.success());
    assert_fails(&run(None, Some("2MiB")), "admission.limit", 4);
    // An option is for this call: it gets less than the model asks for, and no model is refused for it.
    assert_fails(&run(Some("64KiB"), Some("64MiB")), "limit.memory", 5);
    assert!(run(Some("64MiB"), Some("2MiB")).status.success());

    // A bare number is bytes, and other limits come from the same table.
    let table = "[limits]\nmemory = 67108864\ntext-chars = 4\nsandboxes = \"1\"\n";
    std::fs::write(&config, table).unwrap();
    assert!(run(None, None).status.success());
    let mut long = operator.ampoule(&["embed", "--json", "hello", "--model"]);
    long.arg(bundle.path()).arg("--config").arg(&config);
    assert_fails(&long.output().unwrap(), "input.too-large", 7);

    // What waits and what clocks tell has bounds of its own.
    std::fs::write(
        &config,
        "clock-resolution = \"10ms\"\n[limits]\nidle-timeout = \"1s\"\n",
    )
    .unwrap();
    assert!(run(None, None).status.success());
    for (options, code) in [
        (["--clock-resolution", "100us"], None),
        (["--clock-resolution", "2s"], Some("usage.limits")),
        (["--clock-resolution", "1ns"], Some("usage.arguments")),
        (["--idle-timeout", "500ms"], None),
        (["--idle-timeout", "0s"], Some("usage.arguments")),
        (["--loads", "1"], None),
        (["--waiting-loads", "0"], None),
        (["--loads", "0"], Some("usage.limits")),
        (["--sandboxes", "10000000"], Some("usage.limits")),
        (["--init-memory", "0"], Some("usage.limits")),
        (["--kernel-threads", "0"], Some("usage.limits")),
    ] {
        let mut command = operator.ampoule(&["embed", "--json", "x", "--model"]);
        let output = command.arg(bundle.path()).args(options).output().unwrap();
        match code {
            Some(code) => assert_fails(&output, code, 2),
            None => assert!(output.status.success(), "{output:?}"),
        }
    }
    std::fs::write(&config, "clock-resolution = \"2s\"\n").unwrap();
    assert_fails(&run(None, None), "usage.limits", 2);

    std::fs::write(&config, "[limits]\nmemroy = \"1MiB\"\n").unwrap();
    assert_fails(&run(None, None), "usage.config", 2);
    assert_fails(&run(Some("lots"), None), "usage.arguments", 2);
    assert_fails(&run(None, Some("lots")), "usage.arguments", 2);
}

#[test]
fn inspect_shows_a_stranger_without_believing_or_running_it() {
    let operator = Operator::new();
    let stranger = Publisher::new("acme");
    // It would spin for ever if it were run.
    let bundle = stranger.bundle(test_guest("spins_in_init")).write();
    let output = operator
        .ampoule(&["inspect", "--json"])
        .arg(bundle.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    let document = json_of(&output);
    assert_eq!(document["verdict"]["trusted"], false);
    assert_eq!(document["verdict"]["code"], "trust.unknown-key");
    assert_eq!(document["manifest"]["publisher"], "acme");
    assert_eq!(document["start"], "snapshot");
    let names = |field: &str| document[field].to_string();
    assert!(names("imports").contains("wasi:"), "{document}");
    assert!(
        names("exports").contains("ampoule:model/text-embedding@"),
        "{document}"
    );
}

#[test]
fn inspect_names_an_import_that_would_be_refused() {
    let operator = Operator::new();
    let bundle = operator
        .publisher()
        .bundle(test_guest("imports_sockets"))
        .write();
    let output = operator
        .ampoule(&["inspect"])
        .arg(bundle.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("refused [admission.import]"), "{text}");
    assert!(text.contains("wasi:sockets/"), "{text}");
}

#[test]
fn verify_says_yes_only_to_what_this_host_would_run() {
    let operator = Operator::new();
    let verify = |bundle: &WrittenBundle| {
        let mut command = operator.ampoule(&["verify", "--json"]);
        command.arg(bundle.path()).output().unwrap()
    };
    let good = operator.good().write();
    assert!(verify(&good).status.success());
    let refused = operator
        .publisher()
        .bundle(test_guest("exports_extra"))
        .write();
    assert_fails(&verify(&refused), "admission.task", 4);
    // What shows only when it is compiled, and only when it is initialised.
    let mistyped = ampoule_tests::wat_guest("exports_other_types");
    let mistyped = operator.publisher().bundle(mistyped).write();
    assert_fails(&verify(&mistyped), "admission.task", 4);
    let failing = operator
        .publisher()
        .bundle(test_guest("fails_in_init"))
        .write();
    assert_fails(&verify(&failing), "guest.error", 6);
}

#[test]
fn a_model_that_was_not_asked_for_is_refused() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let embed = |expected: &str| {
        let mut command = operator.ampoule(&["embed", "--json", "x", "--expect", expected]);
        command.arg("--model").arg(bundle.path()).output().unwrap()
    };
    assert!(embed("acme/test@1.0").status.success());
    for other in ["acme/test@1.1", "acme/other", "other/test"] {
        assert_fails(&embed(other), "trust.identity", 3);
    }
    assert_fails(&embed("test"), "usage.arguments", 2);
    let mut verify = operator.ampoule(&["verify", "--json", "--expect", "acme/other"]);
    let verify = verify.arg(bundle.path()).output().unwrap();
    assert_fails(&verify, "trust.identity", 3);
    // The built-in model is another one, too.
    let built_in = ampoule()
        .args(["verify", "--json", "--expect", "acme/test"])
        .output()
        .unwrap();
    assert_fails(&built_in, "trust.identity", 3);
}

#[test]
fn texts_come_from_standard_input_too() {
    use std::io::Write as _;
    use std::process::Stdio;
    let operator = Operator::new();
    let bundle = operator.good().write();
    let mut child = operator
        .ampoule(&["embed", "--json", "-", "--model"])
        .arg(bundle.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all("one\nzwei\n三\n".as_bytes()).unwrap();
    drop(stdin);
    let document = json_of(&child.wait_with_output().unwrap());
    assert_eq!(document["embeddings"].as_array().unwrap().len(), 3);
}

#[test]
fn events_of_load_refusal_and_limit_are_shown_when_asked_for() {
    let operator = Operator::new();
    let text = "x".repeat(1_000);
    let stderr = |bundle: &WrittenBundle, verbose: &[&str]| {
        let mut command = operator.ampoule(&["embed", &text, "--no-cache", "--model"]);
        let output = command.arg(bundle.path()).args(verbose).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let good = operator.good().write();
    // In a pipe there is no progress, and without -v no event.
    assert_eq!(stderr(&good, &[]), "");
    let loaded = stderr(&good, &["-v"]);
    assert!(
        loaded.contains("ampoule::load") && loaded.contains("release=1"),
        "{loaded}"
    );
    let stranger = Publisher::new("acme").every_task().write();
    let refused = stderr(&stranger, &["-v"]);
    assert!(refused.contains("code=\"trust.unknown-key\""), "{refused}");
    // Enough to load it with, and too little for a long text.
    let fuel = json_of(&operator.embed(good.path(), &text))["sandbox"]["fuel"].as_u64();
    let limited = operator
        .good()
        .named("limited")
        .set("/limits/fuel", json!(fuel.unwrap() / 2))
        .write();
    // A caller can make that happen again and again.
    assert!(!stderr(&limited, &["-v"]).contains("ampoule::request"));
    let stopped = stderr(&limited, &["-vv"]);
    assert!(
        stopped.contains("ampoule::request") && stopped.contains("code=\"limit.fuel\""),
        "{stopped}"
    );
}

/// Nobody gets the log of a model that does not load, so the error says how to see it.
#[test]
fn a_crash_while_loading_says_how_to_see_what_the_guest_printed() {
    let operator = Operator::new();
    for (guest, code, printed) in [
        ("panics_in_init", "guest.trap", "cannot be loaded"),
        ("fails_in_init", "guest.error", ""),
    ] {
        let bundle = operator.publisher().bundle(test_guest(guest)).named(guest);
        let bundle = bundle.write();
        let output = operator.embed(bundle.path(), "x");
        assert_fails(&output, code, 6);
        let message = json_of(&output)["error"]["message"].to_string();
        assert_eq!(message.matches("-vv shows").count(), 1, "{message}");
        assert_eq!(message.matches("printed").count(), 1, "{message}");
        let mut verbose = operator.ampoule(&["embed", "-vv", "x", "--model"]);
        let output = verbose.arg(bundle.path()).output().unwrap();
        let shown = String::from_utf8(output.stderr).unwrap();
        assert!(shown.contains(printed), "{shown}");
    }
}

#[test]
fn json_can_be_asked_for_by_a_variable() {
    let output = ampoule()
        .args(["trust", "list"])
        .env("AMPOULE_JSON", "1")
        .output()
        .unwrap();
    assert_fails(&output, "usage.trust", 2);
}

/// A shell asks for completions at each start, and must get them also where a setting is wrong.
#[test]
fn the_manual_and_the_completions_need_no_settings() {
    let dir = tempfile::tempdir().unwrap();
    let describe = |arguments: &[&str]| {
        let output = ampoule()
            .args(arguments)
            .current_dir(dir.path())
            .env("AMPOULE_CONFIG", "nowhere")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    };
    let written = json_of(&describe(&["man", "--json", "--dir", "man1"]));
    let files = written["pages"].as_array().unwrap();
    assert_eq!(contents(&dir.path().join("man1")).len(), files.len());
    let page = std::fs::read_to_string(dir.path().join("man1/ampoule-trust-add.1")).unwrap();
    for section in [
        "OPTIONS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "EXAMPLES",
        "SEE ALSO",
    ] {
        assert!(
            page.contains(&format!(".SH {section}\n"))
                || page.contains(&format!(".SH \"{section}\"\n")),
            "{page}"
        );
    }
    std::fs::write(
        dir.path().join("completions"),
        describe(&["completions", "bash"]).stdout,
    )
    .unwrap();
    let bash = std::process::Command::new("bash")
        .args(["-n", "completions"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(bash.status.success() && bash.stderr.is_empty(), "{bash:?}");
}
