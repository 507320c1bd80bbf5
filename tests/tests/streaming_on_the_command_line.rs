//! `ampoule ask` at work: the answer is printed as it is generated, and ends when its reader is gone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Read as _;
use std::process::{Child, Stdio};

use ampoule_tests::{Operator, WrittenBundle, test_guest};
use serde_json::json;

/// Starts `ampoule ask`, with its output still to be read.
fn asking(operator: &Operator, bundle: &WrittenBundle) -> Child {
    operator
        .ampoule(&["ask", "x", "--model"])
        .arg(bundle.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn an_answer_is_shown_as_it_is_written() {
    let operator = Operator::new();
    // One chunk, then it computes until its deadline.
    let bundle = operator
        .publisher()
        .bundle(test_guest("generation_blocks"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(2_000))
        .write();
    let mut child = asking(&operator, &bundle);
    let mut first = [0];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    assert!(
        child.try_wait().unwrap().is_none(),
        "it came while the rest was still to come"
    );
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with('\n'), "{rest:?}");
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(error.contains("(limit.deadline)"), "{error}");
}

#[test]
fn a_closed_pipe_ends_a_command_in_silence() {
    let operator = Operator::new();
    let bundle = operator
        .publisher()
        .bundle(test_guest("endless_generation"))
        .tasks(&["text-generation"])
        .write();
    let mut child = asking(&operator, &bundle);
    child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    // Its reading end is closed now.
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}
