//! A model that one process loads and another serves, which is given it over a Unix socket and opens no file.
//!
//! `strace` watches the process that serves. Where the tool is missing the tests fail: a skipped test proves nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use ampoule::TrustStore;
use ampoule_load::{
    HostTrust, Loader, LoaderSettings, ReleaseRule, RollbackProtection, Terms, TrustSource,
};
use ampoule_sandbox::wire::LeaseKeeper;
use ampoule_sandbox::{Capability, LoadedModel};
use ampoule_signing::Bundle;
use ampoule_tests::{Publisher, block_on, serve_received, test_guest};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// System calls that open a file or a connection, or start a program, and the one that sets the filter. Those with a
/// question mark are not there on each processor.
const WATCHED: &str =
    "?open,?creat,openat,openat2,open_by_handle_at,execve,execveat,socket,connect,seccomp";

/// Loads a bundle as a host does.
fn load(trust: &Arc<HostTrust>, bundle: Bundle) -> LoadedModel {
    let mut settings = LoaderSettings::default();
    settings.allowed = vec![Capability::HostKernels];
    let loader = Loader::new(settings, Arc::clone(trust)).unwrap();
    let rule = ReleaseRule {
        rollback: RollbackProtection::On,
        serving: None,
    };
    let loaded = loader.load(move || Ok(bundle), rule, Terms::default());
    block_on(loaded).unwrap().0
}

/// A process that serves one model, under `strace`.
struct Serving {
    process: Child,
    questions: UnixStream,
    answers: BufReader<ChildStdout>,
    trace: NamedTempFile,
}

impl Serving {
    fn start(model: &LoadedModel) -> (Self, Arc<LeaseKeeper>) {
        let (questions, other_end) = UnixStream::pair().unwrap();
        let trace = NamedTempFile::new().unwrap();
        let mut process = Command::new("strace")
            // Otherwise the loader looks for libraries in many places.
            .env_remove("LD_LIBRARY_PATH")
            .args(["--follow-forks", "--quiet=all"])
            .arg(format!("--trace={WATCHED}"))
            .arg(format!("--output={}", trace.path().display()))
            .arg(serve_received())
            .stdin(OwnedFd::from(other_end))
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs `strace`; install the package strace");
        let answers = BufReader::new(process.stdout.take().unwrap());
        let lease = model.send(&questions).unwrap();
        let serving = Self {
            process,
            questions,
            answers,
            trace,
        };
        (serving, lease)
    }

    fn ask(&mut self, question: &str) -> Value {
        writeln!(self.questions, "{question}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "it has ended:\n{}", self.trace());
        serde_json::from_str(&answer).unwrap()
    }

    fn trace(&self) -> String {
        std::fs::read_to_string(self.trace.path()).unwrap()
    }

    fn embed(&mut self, text: &str) -> Vec<f32> {
        serde_json::from_value(self.ask(&format!("embed {text}"))).unwrap()
    }

    /// Ends the process, and checks that it has opened nothing since the filter was set, with which it was told to
    /// receive the model.
    fn assert_opened_nothing(mut self) {
        self.questions.shutdown(Shutdown::Both).unwrap();
        assert!(self.process.wait().unwrap().success());
        let trace = self.trace();
        let (before, after) = trace.split_once("SECCOMP_SET_MODE_FILTER").unwrap();
        assert!(before.contains("openat("), "strace sees what is opened");
        let calls: Vec<_> = after.lines().skip(1).collect();
        assert!(calls.is_empty(), "{calls:#?}");
    }
}

#[test]
fn a_model_is_served_by_a_process_that_was_given_it_over_a_socket_and_opens_no_file() {
    let acme = Publisher::new("acme");
    let trust = HostTrust::open(TrustSource::Store(Box::new(acme.trust()))).unwrap();
    let model = load(&trust, acme.every_task().in_memory());
    let (mut serving, lease) = Serving::start(&model);
    // What serves needs no more of what loads than the lease.
    drop(model);

    // The histogram of the bytes modulo 8, normalised.
    let expected = [0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(serving.embed("aaabbbb"), expected);
    let words = serving.ask("generate one two three");
    assert_eq!(words, json!(["one ", "two ", "three"]));
    assert_eq!(serving.embed("aaabbbb"), expected);

    // Trust that is taken back here ends serving there, and given again it goes on.
    trust.replace(TrustStore::new());
    for question in ["embed a", "generate a"] {
        let refused = serving.ask(question);
        assert_eq!(refused, json!({ "refused": "trust.unknown-key" }));
    }
    trust.replace(acme.trust());
    assert_eq!(serving.embed("aaabbbb"), expected);
    // Nobody is left to take it back.
    drop(lease);
    assert_eq!(serving.ask("embed a"), json!({ "refused": "io.system" }));
    serving.assert_opened_nothing();
}

#[test]
fn layers_are_packed_out_of_the_files_that_came_along() {
    let acme = Publisher::new("acme");
    let trust = HostTrust::open(TrustSource::Store(Box::new(acme.trust()))).unwrap();
    let weights = [1.0_f32, 2.0].map(|weight| weight.to_le_bytes().repeat(64 * 64));
    let bundle = acme
        .bundle(test_guest("multiplies_on_the_host"))
        .file("plan.txt", b"f32 64 64 0\nint4 64 64 16384\n".to_vec())
        .file("data.bin", weights.concat())
        .set("/capabilities", json!(["host-kernels"]));
    let (mut serving, _lease) = Serving::start(&load(&trust, bundle.in_memory()));
    for (layer, product) in [(0, 32.0), (1, 64.0)] {
        let answer = serving.embed(&format!("multiply {layer} 5 64 0.5"));
        assert_eq!(answer, [1.0, 320.0, 0.0, 0.0, product, product]);
    }
    serving.assert_opened_nothing();
}
