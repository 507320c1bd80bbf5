//! Builds test programs and runs them, with every result recorded.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::guests;
use crate::process;
use crate::test_report::{Reader, TestReport};
use crate::workspace::Workspace;

/// Packages whose tests are built in one go.
pub(crate) struct Selection {
    arguments: Vec<String>,
}

impl Selection {
    /// The default members: all that runs on the host machine.
    pub(crate) fn host() -> Self {
        Self {
            arguments: Vec::new(),
        }
    }

    /// The guests' own tests, which run on the host machine too. Apart from the host's, so that neither
    /// side unifies features with the other.
    pub(crate) fn guests(workspace: &Workspace) -> Result<Self> {
        let mut arguments = [
            "ampoule-guest",
            "ampoule-model-files",
            "ampoule-nn",
            "ampoule-picture",
            "ampoule-text",
        ]
        .map(|name| format!("--package={name}"))
        .to_vec();
        for model in guests::models(workspace)? {
            arguments.push(format!("--package={}", model.package.name));
        }
        Ok(Self { arguments })
    }

    /// What tells cargo so.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

/// The file name of each test program, and the root source file of its crate.
pub(crate) type Programs = BTreeMap<String, String>;

/// What came of a run.
pub(crate) struct Run {
    pub(crate) report: TestReport,
    /// Why the run does not count as a success; empty when it does.
    pub(crate) problems: Vec<String>,
}

impl Run {
    /// Adds another run to this one.
    pub(crate) fn append(&mut self, other: Self) {
        self.report.tests.extend(other.report.tests);
        self.problems.extend(other.problems);
    }
}

/// A line of `cargo build --message-format=json`, the part that is needed.
#[derive(Debug, Deserialize)]
struct BuildMessage {
    executable: Option<PathBuf>,
    target: Option<BuiltTarget>,
    profile: Option<BuiltProfile>,
}

#[derive(Debug, Deserialize)]
struct BuiltTarget {
    src_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct BuiltProfile {
    test: bool,
}

/// Builds programs and tests. One build for both: two would unify features in two ways, and compile
/// Wasmtime twice.
pub(crate) fn build(workspace: &Workspace, selection: &Selection) -> Result<Programs> {
    let mut command = process::cargo();
    command
        .current_dir(workspace.root())
        .args([
            "build",
            "--all-targets",
            "--message-format=json-render-diagnostics",
        ])
        .args(selection.arguments())
        .stderr(Stdio::inherit());
    let output = command.output().context("cargo could not be started")?;
    ensure!(
        output.status.success(),
        "`{}` failed ({})",
        process::display(&command),
        output.status
    );
    let mut programs = Programs::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: BuildMessage =
            serde_json::from_str(line).context("cargo printed something unexpected")?;
        if let BuildMessage {
            executable: Some(program),
            target: Some(target),
            profile: Some(BuiltProfile { test: true }),
        } = message
            && let Some(name) = program.file_name()
        {
            programs.insert(
                name.to_string_lossy().into_owned(),
                workspace.relative(&target.src_path),
            );
        }
    }
    Ok(programs)
}

/// Runs `cargo test` with arguments of the caller's, and records nothing.
pub(crate) fn run_some(workspace: &Workspace, cargo_arguments: &[String]) -> Result<()> {
    process::run(cargo_test(workspace).args(cargo_arguments))
}

/// Runs all tests of `selection` with their output on this terminal. Cargo names the program on
/// standard error and the program its tests on standard output: both go through one pipe, so that the
/// order is kept.
pub(crate) fn run(
    workspace: &Workspace,
    selection: &Selection,
    programs: &Programs,
) -> Result<Run> {
    let (from_cargo, to_us) = std::io::pipe().context("cannot make a pipe")?;
    let mut command = cargo_test(workspace);
    command
        .arg("--no-fail-fast")
        .args(selection.arguments())
        .stdout(to_us.try_clone()?)
        .stderr(to_us);
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let shown = process::display(&command);
    let mut child = command.spawn().context("cargo could not be started")?;
    // The command holds our copies of the writing end; while they are open, reading does not end.
    drop(command);
    let mut reader = Reader::new(programs);
    let mut lines = BufReader::new(from_cargo);
    let mut line = Vec::new();
    let mut stdout = std::io::stdout().lock();
    while lines
        .read_until(b'\n', &mut line)
        .context("cannot read what cargo prints")?
        > 0
    {
        stdout.write_all(&line)?;
        reader.line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        line.clear();
    }
    let status = child.wait()?;
    let (report, mut problems) = reader.finish();
    if !status.success() {
        problems.push(format!("`{shown}` failed ({status})"));
    }
    Ok(Run { report, problems })
}

fn cargo_test(workspace: &Workspace) -> Command {
    let mut command = process::cargo();
    command.current_dir(workspace.root()).arg("test");
    command
}
