//! The tests of the last full run: each with the crate that it lives in and its result.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// Every test of one run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct TestReport {
    pub(crate) tests: Vec<RanTest>,
}

/// A test and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RanTest {
    /// Root source file of the test's crate, from the repository's root.
    pub(crate) target: String,
    /// Path in the crate, such as `verify::tests::a_weak_key_is_refused`.
    pub(crate) name: String,
    pub(crate) result: TestResult,
}

/// The end of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TestResult {
    Passed,
    /// This test, or another of the same run of cargo, failed.
    Failed,
    Ignored,
}

impl TestReport {
    /// Reads a report that [`write`](Self::write) wrote.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let json = std::fs::read(path)
            .context("no report of a test run is there: run `cargo xtask test`")?;
        serde_json::from_slice(&json)
            .context("the report of the last test run does not parse: run `cargo xtask test`")
    }

    /// Writes the report for later commands.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, serde_json::to_vec_pretty(self)?)
            .context("cannot write the test report")
    }

    /// Counts the tests with this result.
    pub(crate) fn count(&self, result: TestResult) -> usize {
        self.tests
            .iter()
            .filter(|test| test.result == result)
            .count()
    }
}
