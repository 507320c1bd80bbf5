//! The command under the restrictions of a service or a container, by the kernel's own means: limits, filters
//! on system calls, mounts. A test fails on a machine that lacks such a means.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::process::binary;
use crate::{Operator, WrittenBundle, ampoule, json_of, test_guest, workspace_file};

/// Returns a picture that the built-in model sees a star in.
#[must_use]
pub fn sample_picture() -> PathBuf {
    workspace_file("samples/shapes.png")
}

/// Puts the words `before` in front of a command, for programs that start another, such as `prlimit` or `unshare`.
///
/// # Panics
///
/// If there are no words.
#[must_use]
pub fn under(before: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(before[0]);
    outer.args(&before[1..]).arg(command.get_program());
    outer.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// Puts a command under a filter on system calls; see `tests/src/bin/confined.rs`.
///
/// # Panics
///
/// If that program is not there.
#[must_use]
pub fn filtered(filter: &str, command: &Command) -> Command {
    let confined = binary("confined");
    under(&[confined.to_str().unwrap(), filter], command)
}

/// Makes a command that asks the built-in model for labels. Its code may come from the tests' cache.
#[must_use]
pub fn classify() -> Command {
    let mut command = ampoule();
    command.args(["classify", "--json", "--timeout", "60s", "--image"]);
    command.arg(sample_picture());
    command
}

/// Checks that the built-in model has answered, and rightly.
///
/// # Panics
///
/// If it failed.
#[track_caller]
pub fn assert_classifies(output: &Output) {
    let document = json_of(output);
    assert!(output.status.success(), "{document}");
    let labels = document["labels"].as_array().unwrap();
    assert!(
        labels.iter().any(|label| label["name"] == "star"),
        "{document}"
    );
}

/// An operator with a small model, which is compiled in a moment.
pub struct Small {
    /// Operator who trusts it.
    pub operator: Operator,
    /// The model's bundle.
    pub bundle: WrittenBundle,
}

impl Small {
    /// Writes the bundle.
    ///
    /// # Panics
    ///
    /// If the system refuses to write.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        let operator = Operator::new();
        let bundle = operator.publisher().bundle(test_guest("prepares"));
        Self {
            bundle: bundle.file("data.bin", vec![1, 20, 100]).write(),
            operator,
        }
    }

    /// Makes a command that compiles the model and asks it.
    #[must_use]
    pub fn embed(&self) -> Command {
        let mut command = self.operator.ampoule(&["embed", "--json", "--no-cache"]);
        command.args(["x", "--model"]).arg(self.bundle.path());
        command
    }
}

/// Checks that the model of [`Small`] has answered, and rightly.
///
/// # Panics
///
/// If it failed.
#[track_caller]
pub fn assert_embeds(output: &Output) {
    let document = json_of(output);
    assert!(output.status.success(), "{document}");
    assert_eq!(document["embeddings"][0][2], 121.0);
}

/// Makes a shell that runs `script` with mounts of its own, and then the command. The shell is root inside, and
/// the user who started it outside.
#[must_use]
pub fn with_mounts(script: &str, command: &Command) -> Command {
    let script = format!("{script} && exec \"$0\" \"$@\"");
    let unshare = [
        "unshare",
        "--map-root-user",
        "--mount",
        "--pid",
        "--kill-child",
        "sh",
        "-c",
    ];
    under(&[&unshare[..], &[&script]].concat(), command)
}
