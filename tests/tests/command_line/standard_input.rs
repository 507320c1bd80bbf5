//! No more than needed is read of standard input and of endless files.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ampoule_tests::{Operator, ampoule, assert_fails, json_of};

/// The most time of a command that ends at once, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(20);

/// The largest file that a file system takes, nearly: it holds nothing but zeros, and takes no room.
fn giant() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 42).unwrap();
    file
}

fn run(command: &mut Command, input: File) -> Output {
    let began = Instant::now();
    let output = command.stdin(input).output().unwrap();
    let took = began.elapsed();
    assert!(took < AT_ONCE, "{took:?}");
    output
}

/// Input is refused before a model is looked for: none exists here.
fn without_a_model(words: &[&str]) -> Command {
    let mut command = ampoule();
    command.args(["--json", "--trust", "nowhere"]).args(words);
    command
}

#[test]
fn standard_input_without_end_is_refused_before_a_model_is_looked_at() {
    for (words, most, option) in [
        (
            &["embed", "-", "--model", "nowhere"][..],
            1 << 16,
            "--text-chars",
        ),
        (&["tokenize", "-"], 1 << 16, "--text-chars"),
        (&["embed", "--image", "-"], 17 << 20, "--image-bytes"),
        (&["ask", "x", "--image", "-"], 17 << 20, "--image-bytes"),
        (&["classify", "--image", "-"], 17 << 20, "--image-bytes"),
        (
            &["bench", "--prompt", "x", "--image", "-"],
            17 << 20,
            "--image-bytes",
        ),
    ] {
        let mut input = giant();
        let output = run(&mut without_a_model(words), input.try_clone().unwrap());
        assert_fails(&output, "input.too-large", 7);
        let message = json_of(&output)["error"]["message"].to_string();
        assert!(message.contains(option), "{message}");
        let read = input.stream_position().unwrap();
        assert!(
            read > 0 && read <= most,
            "{words:?}: {read} bytes were read"
        );
    }
}

/// Writes lines without end, as `yes hello` does.
#[test]
fn one_line_after_the_other_without_end_is_refused_at_once() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let mut command = operator.ampoule(&["embed", "--json", "-", "--model"]);
    let mut child = command
        .arg(bundle.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let began = Instant::now();
    let mut written = 0_u64;
    while stdin.write_all(b"hello\n").is_ok() {
        written += 6;
        assert!(began.elapsed() < AT_ONCE);
    }
    let output = child.wait_with_output().unwrap();
    assert_fails(&output, "input.too-large", 7);
    let message = json_of(&output)["error"]["message"].to_string();
    assert!(message.contains("--texts"), "{message}");
    // A pipe holds 64 KiB or less, and the command has read its share.
    assert!(written <= 1 << 18, "{written}");
}

#[test]
fn as_many_texts_as_a_request_may_have_are_read() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let embed = |lines: String, options: &[&str]| {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(lines.as_bytes()).unwrap();
        input.rewind().unwrap();
        let mut command = operator.ampoule(&["embed", "--json", "-", "--model"]);
        command.arg(bundle.path()).args(options).stdin(input);
        command.output().unwrap()
    };
    let output = embed("hello\n".repeat(256), &[]);
    assert_eq!(
        json_of(&output)["embeddings"].as_array().unwrap().len(),
        256
    );
    let longest = "漢".repeat(1_000);
    assert!(embed(longest.clone(), &[]).status.success());
    assert_fails(&embed(longest + "x", &[]), "input.too-large", 7);
    assert_fails(&embed("x\n".repeat(257), &[]), "input.too-large", 7);
    assert!(
        embed("x\n".repeat(257), &["--texts", "257"])
            .status
            .success()
    );
    assert_fails(
        &embed("x\n".repeat(3), &["--texts", "2"]),
        "input.too-large",
        7,
    );
}

#[test]
fn files_without_end_are_refused_at_once() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let zero = Path::new("/dev/zero");
    let image = |words: &[&str]| {
        let mut command = without_a_model(words);
        command.arg("--image").arg(zero);
        run(&mut command, giant())
    };
    for words in [&["ask", "x"][..], &["classify"], &["embed"]] {
        assert_fails(&image(words), "input.too-large", 7);
    }
    // A pipe without a writer is refused at once, and not waited for.
    let pipe = operator.trust().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for path in [zero, &pipe] {
        let mut config = operator.ampoule(&["embed", "--json", "x", "--config"]);
        config.arg(path).arg("--model").arg(bundle.path());
        let output = run(&mut config, giant());
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        let code = json_of(&output)["error"]["code"].to_string();
        assert!(
            ["file.type", "usage.config", "trust.permissions"]
                .iter()
                .any(|expected| code.contains(expected)),
            "{code}"
        );
    }
    // From standard input it is read, and bounded as well.
    let mut config = operator.ampoule(&["embed", "--json", "x", "--config", "/dev/stdin"]);
    config.arg("--model").arg(bundle.path());
    let mut input = giant();
    let output = run(&mut config, input.try_clone().unwrap());
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    assert!(input.stream_position().unwrap() <= 1 << 17);
}

#[test]
fn arguments_are_held_to_the_limits_before_a_model_is_looked_at() {
    let long = "x".repeat(1_001);
    let many = ["x"; 257];
    for words in [
        &["embed", &long][..],
        &["tokenize", &long],
        &["ask", &long],
        &["bench", "--prompt", &long],
        &[&["embed"][..], &many].concat(),
    ] {
        let output = run(&mut without_a_model(words), giant());
        assert_fails(&output, "input.too-large", 7);
    }
}
