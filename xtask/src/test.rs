//! Runs every test on real parts, records the results, and checks the promises against the record.

use std::path::PathBuf;

use ampoule_documents::promises;
use ampoule_documents::test_report::{TestReport, TestResult};
use anyhow::{Context as _, Result, bail, ensure};

use crate::cargo_test::{self, Selection};
use crate::workspace::{HostProfile, Workspace};
use crate::{guests, minilm_bundle, setup, signed_bundle, weights};

/// Prepares and runs the tests. `cargo_arguments` go to `cargo test`; with any, only a part of the tests runs, so
/// the report is not written and the promises are not checked.
pub(crate) fn test(workspace: &Workspace, cargo_arguments: &[String]) -> Result<()> {
    setup::setup(workspace)?;
    guests::build_all(workspace)?;
    weights::fetch(workspace)?;
    let mut built = Vec::new();
    for selection in [
        Selection::guests(workspace)?,
        Selection::benchmark(workspace),
        Selection::host(),
    ] {
        let programs = cargo_test::build(workspace, &selection)?;
        built.push((selection, programs));
    }
    signed_bundle::build_with_traces(workspace, HostProfile::Dev)?;
    minilm_bundle::demo_if_stale(workspace, HostProfile::Dev)?;
    if !cargo_arguments.is_empty() {
        cargo_test::run_some(workspace, cargo_arguments)?;
        eprintln!("Only the tests asked for ran, so the promises were not checked.");
        return Ok(());
    }

    let path = report_path(workspace);
    if path.exists() {
        std::fs::remove_file(&path).context("cannot remove the last test report")?;
    }
    let mut report = TestReport::default();
    let mut problems = Vec::new();
    for (selection, programs) in built {
        let result = match cargo_test::run(workspace, &selection) {
            Ok(()) => TestResult::Passed,
            Err(problem) => {
                problems.push(problem.to_string());
                TestResult::Failed
            }
        };
        report.tests.extend(cargo_test::list(&programs, result)?);
    }
    report.write(&path)?;
    println!(
        "{} tests passed, {} ignored; {}",
        report.count(TestResult::Passed),
        report.count(TestResult::Ignored),
        workspace.relative(&path)
    );
    ensure!(
        problems.is_empty(),
        "tests failed:\n{}",
        problems.join("\n")
    );
    refuse_skipped_tests(&report)?;
    check_documents(workspace, Some(&report))
}

/// Checks the documents' links and promises, with a report also that the promises' tests passed.
pub(crate) fn check_documents(workspace: &Workspace, report: Option<&TestReport>) -> Result<()> {
    let tests = promises::check(workspace.root(), report)?;
    println!("{tests} links from promises and documents to tests hold");
    Ok(())
}

/// Reads the report of the last full run.
pub(crate) fn last_report(workspace: &Workspace) -> Result<TestReport> {
    TestReport::read(&report_path(workspace))
}

fn report_path(workspace: &Workspace) -> PathBuf {
    workspace.output().join("test-report.json")
}

/// Fails under CI when a test was ignored, which nobody would see otherwise.
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

/// Tells whether `CI` is set as CI services set it.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
