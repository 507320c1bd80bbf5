//! Runs every test on real parts, records what ran, and checks the promises against the record.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::process;
use crate::promises;
use crate::test_report::{Reader, TestReport, TestResult};
use crate::workspace::{HostProfile, Workspace};
use crate::{bundle, guests, setup, weights};

/// Prepares what tests need and runs them. `cargo_arguments` go to `cargo test`; with any, only a part
/// of the tests runs, so neither the report is written nor the promises are checked.
pub(crate) fn test(workspace: &Workspace, cargo_arguments: &[String]) -> Result<()> {
    setup::setup(workspace)?;
    guests::build_all(workspace)?;
    weights::fetch(workspace)?;
    let programs = build(workspace)?;
    bundle::demo_if_stale(workspace, HostProfile::Dev)?;
    if !cargo_arguments.is_empty() {
        process::run(cargo_test(workspace).args(cargo_arguments))?;
        eprintln!("Only the tests asked for ran, so the promises were not checked.");
        return Ok(());
    }
    let (report, problems, status) = run_and_record(workspace, &programs)?;
    let path = report_path(workspace);
    report.write(&path)?;
    println!(
        "{} tests passed, {} failed, {} ignored; {}",
        report.count(TestResult::Passed),
        report.count(TestResult::Failed),
        report.count(TestResult::Ignored),
        workspace.relative(&path)
    );
    ensure!(status.success(), "tests failed ({status})");
    ensure!(
        problems.is_empty(),
        "the test run does not add up:\n{}",
        problems.join("\n")
    );
    refuse_skipped_tests(&report)?;
    promises::check(workspace, &report)
}

/// Where the record of the last full run is.
pub(crate) fn report_path(workspace: &Workspace) -> PathBuf {
    workspace.output().join("test-report.json")
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

/// Builds the host's programs and all tests, and returns each test program's file name with the source
/// file of its crate. One build for both: two would unify features in two ways and compile Wasmtime
/// twice.
fn build(workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    let mut command = process::cargo();
    command
        .current_dir(workspace.root())
        .args([
            "build",
            "--all-targets",
            "--message-format=json-render-diagnostics",
        ])
        .stderr(Stdio::inherit());
    let output = command.output().context("cargo could not be started")?;
    ensure!(
        output.status.success(),
        "`{}` failed ({})",
        process::display(&command),
        output.status
    );
    let mut programs = BTreeMap::new();
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
    ensure!(!programs.is_empty(), "the workspace has no tests");
    Ok(programs)
}

fn cargo_test(workspace: &Workspace) -> Command {
    let mut command = process::cargo();
    command.current_dir(workspace.root()).arg("test");
    command
}

/// Runs all tests with their output on this terminal. Cargo names the program on standard error and
/// the program its tests on standard output: both go through one pipe, so that the order is kept.
fn run_and_record(
    workspace: &Workspace,
    programs: &BTreeMap<String, String>,
) -> Result<(TestReport, Vec<String>, ExitStatus)> {
    let (from_cargo, to_us) = std::io::pipe().context("cannot make a pipe")?;
    let mut command = cargo_test(workspace);
    command
        .arg("--no-fail-fast")
        .stdout(to_us.try_clone()?)
        .stderr(to_us);
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
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
    let (report, problems) = reader.finish();
    Ok((report, problems, status))
}

/// Under CI a test that does not run is a failure: nobody would see it otherwise.
fn refuse_skipped_tests(report: &TestReport) -> Result<()> {
    let ignored: Vec<_> = report
        .tests
        .iter()
        .filter(|test| test.result == TestResult::Ignored)
        .collect();
    if is_ci() && !ignored.is_empty() {
        let names: Vec<_> = ignored
            .iter()
            .map(|test| format!("{}: {}", test.target, test.name))
            .collect();
        bail!(
            "under CI no test may be ignored, but these are:\n{}",
            names.join("\n")
        );
    }
    Ok(())
}

/// True where `CI` is set as CI services set it.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// The report of the last full run.
pub(crate) fn last_report(workspace: &Workspace) -> Result<TestReport> {
    let path: &Path = &report_path(workspace);
    TestReport::read(path)
}
