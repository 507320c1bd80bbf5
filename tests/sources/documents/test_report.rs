//! The tests of the last full run: each with the crate that it lives in and its result.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// Every test of one run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct TestReport {
    /// All of them, by program.
    pub tests: Vec<RanTest>,
}

/// A test and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RanTest {
    /// Root source file of the test's crate, from the repository's root.
    pub target: String,
    /// Path in the crate, such as `verify::tests::a_weak_key_is_refused`.
    pub name: String,
    /// The end of it.
    pub result: TestResult,
}

/// The end of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestResult {
    /// It ran and passed.
    Passed,
    /// This test, or another of the same run of cargo, failed.
    Failed,
    /// It did not run.
    Ignored,
}

impl TestReport {
    /// Reads a report that [`write`](Self::write) wrote.
    ///
    /// # Errors
    ///
    /// A report that is missing, or that another version wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let json = std::fs::read(path)
            .context("no report of a test run is there: run `cargo xtask test`")?;
        serde_json::from_slice(&json)
            .context("the report of the last test run does not parse: run `cargo xtask test`")
    }

    /// Writes the report for later commands.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, serde_json::to_vec_pretty(self)?)
            .context("cannot write the test report")
    }

    /// Counts the tests with this result.
    #[must_use]
    pub fn count(&self, result: TestResult) -> usize {
        self.tests
            .iter()
            .filter(|test| test.result == result)
            .count()
    }
}
