//! What `cargo test` said: each test that ran, where it lives, and its result.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::cargo_test::Programs;

/// Every test of one run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct TestReport {
    pub(crate) tests: Vec<RanTest>,
}

/// One test and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RanTest {
    /// The root source file of the test's crate, from the repository's root; for a documentation test,
    /// the name of its crate.
    pub(crate) target: String,
    /// The test's path in its crate, such as `verify::tests::a_weak_key_is_refused`.
    pub(crate) name: String,
    pub(crate) result: TestResult,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TestResult {
    Passed,
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

    /// How many tests ended so.
    pub(crate) fn count(&self, result: TestResult) -> usize {
        self.tests
            .iter()
            .filter(|test| test.result == result)
            .count()
    }
}

/// Reads the merged output of `cargo test` and the test programs, line by line.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    programs: &'a Programs,
    target: String,
    announced: usize,
    recorded: usize,
    report: TestReport,
    /// What does not fit together: a program that announced more tests than it reported.
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(programs: &'a Programs) -> Self {
        Self {
            programs,
            target: String::new(),
            announced: 0,
            recorded: 0,
            report: TestReport::default(),
            problems: Vec::new(),
        }
    }

    /// Takes in one line of output, without its end.
    pub(crate) fn line(&mut self, line: &str) {
        let line = without_colours(line);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("Running ") {
            if let Some(target) = self.target_of(rest) {
                self.next_target(target);
            }
        } else if let Some(name) = line.strip_prefix("Doc-tests ") {
            self.next_target(name.to_owned());
        } else if let Some(count) = announced(line) {
            // Documentation tests announce themselves more than once a crate.
            self.announced += count;
        } else if let Some((name, result)) = test_line(line) {
            self.recorded += 1;
            self.report.tests.push(RanTest {
                target: self.target.clone(),
                name: name.to_owned(),
                result,
            });
        }
    }

    /// The report, and what did not fit together.
    pub(crate) fn finish(mut self) -> (TestReport, Vec<String>) {
        self.close_target();
        (self.report, self.problems)
    }

    /// `unittests src/lib.rs (target/debug/deps/ampoule-0123)` → the source file of that program.
    fn target_of(&mut self, running: &str) -> Option<String> {
        let program = running.strip_suffix(')')?.rsplit_once('(')?.1;
        let file_name = program.rsplit(['/', '\\']).next()?;
        let known = self.programs.get(file_name).cloned();
        if known.is_none() {
            self.problems.push(format!(
                "cargo ran {file_name}, which it had not built before: did a file change meanwhile?"
            ));
        }
        known
    }

    fn next_target(&mut self, target: String) {
        self.close_target();
        self.target = target;
    }

    fn close_target(&mut self) {
        if self.announced != self.recorded {
            let (target, announced, recorded) = (&self.target, self.announced, self.recorded);
            self.problems.push(format!(
                "{target} announced {announced} tests and gave the results of {recorded}"
            ));
        }
        self.announced = 0;
        self.recorded = 0;
    }
}

/// `running 12 tests` → 12.
fn announced(line: &str) -> Option<usize> {
    let count = line.strip_prefix("running ")?;
    count
        .strip_suffix(" tests")
        .or_else(|| count.strip_suffix(" test"))?
        .parse()
        .ok()
}

/// `test limits::a_limit_is_named ... ok` → its name and result.
fn test_line(line: &str) -> Option<(&str, TestResult)> {
    let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let result = match result.split([',', ' ']).next()? {
        "ok" => TestResult::Passed,
        "FAILED" => TestResult::Failed,
        "ignored" => TestResult::Ignored,
        _ => return None,
    };
    Some((name.strip_suffix(" - should panic").unwrap_or(name), result))
}

/// The line without terminal escape sequences (ECMA-48 control sequences).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.trim_start_matches(|c: char| !('@'..='~').contains(&c));
        rest = rest.get(1..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str) -> (TestReport, Vec<String>) {
        let programs = Programs::from([
            (
                "ampoule-0123".to_owned(),
                "host/runtime/src/lib.rs".to_owned(),
            ),
            (
                "hostile-4567".to_owned(),
                "tests/tests/hostile.rs".to_owned(),
            ),
        ]);
        let mut reader = Reader::new(&programs);
        output.lines().for_each(|line| reader.line(line));
        reader.finish()
    }

    fn ran(target: &str, name: &str, result: TestResult) -> RanTest {
        RanTest {
            target: target.to_owned(),
            name: name.to_owned(),
            result,
        }
    }

    #[test]
    fn every_test_is_recorded_with_its_crate_and_result() {
        let (report, problems) = read(
            "   Compiling ampoule v0.1.0\n     Running unittests src/lib.rs (target/debug/deps/ampoule-0123)\n\n\
             running 3 tests\ntest limits::tests::a ... ok\ntest limits::tests::b ... FAILED\n\
             test c - should panic ... ok\n\nfailures:\n\n---- limits::tests::b stdout ----\nthread panicked\n\n\
             test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\n     \
             Running tests/hostile.rs (target/debug/deps/hostile-4567)\n\nrunning 1 test\n\
             test spins ... ignored, takes an hour\n\n   Doc-tests ampoule\n\nrunning 2 tests\n\
             test host/runtime/src/lib.rs - Host (line 3) ... ok\n\
             test host/runtime/src/lib.rs - Host (line 9) - compile ... ok\n",
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            report.tests,
            [
                ran(
                    "host/runtime/src/lib.rs",
                    "limits::tests::a",
                    TestResult::Passed
                ),
                ran(
                    "host/runtime/src/lib.rs",
                    "limits::tests::b",
                    TestResult::Failed
                ),
                ran("host/runtime/src/lib.rs", "c", TestResult::Passed),
                ran("tests/tests/hostile.rs", "spins", TestResult::Ignored),
                ran(
                    "ampoule",
                    "host/runtime/src/lib.rs - Host (line 3)",
                    TestResult::Passed
                ),
                ran(
                    "ampoule",
                    "host/runtime/src/lib.rs - Host (line 9) - compile",
                    TestResult::Passed
                ),
            ]
        );
    }

    #[test]
    fn a_test_program_that_dies_halfway_is_a_problem() {
        let (report, problems) = read(
            "Running tests/hostile.rs (target/debug/deps/hostile-4567)\nrunning 2 tests\ntest spins ... ok\n\
             Running unittests src/lib.rs (target/debug/deps/ampoule-0123)\nrunning 0 tests\n",
        );
        assert_eq!(report.count(TestResult::Passed), 1);
        assert_eq!(
            problems,
            ["tests/tests/hostile.rs announced 2 tests and gave the results of 1"]
        );
    }

    #[test]
    fn a_program_that_nobody_built_is_a_problem() {
        let (_, problems) =
            read("Running tests/new.rs (target/debug/deps/new-89ab)\nrunning 0 tests\n");
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn colours_are_taken_out_before_a_line_is_read() {
        let (report, problems) = read(
            "\u{1b}[1m\u{1b}[92m     Running\u{1b}[0m tests/hostile.rs (target/debug/deps/hostile-4567)\n\
             running 1 test\ntest spins ... \u{1b}[32mok\u{1b}[0m\n",
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            report.tests,
            [ran("tests/tests/hostile.rs", "spins", TestResult::Passed)]
        );
    }

    #[test]
    fn other_lines_are_no_results() {
        for line in [
            "test result: ok. 3 passed; 0 failed",
            "test spins has been running for over 60 seconds",
            "test a ... maybe",
        ] {
            assert_eq!(test_line(line), None, "{line}");
        }
    }
}
