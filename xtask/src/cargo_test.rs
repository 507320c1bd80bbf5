//! Builds test programs, runs them, and asks them which tests they have.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use ampoule_documents::test_report::{RanTest, TestResult};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::guests;
use crate::process;
use crate::workspace::Workspace;

/// Variable of the tests' own runner: tests of one program at one time.
const THREADS: &str = "RUST_TEST_THREADS";

/// Tests at one time for each core. Many wait for a deadline, a server or a look of each second; those that measure the whole
/// process take turns by themselves.
const TESTS_PER_CORE: usize = 2;

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

    /// The benchmark's driver, whose dependencies are few: no engine, and no Wasmtime.
    pub(crate) fn benchmark(workspace: &Workspace) -> Self {
        let manifest = workspace.bench().join("Cargo.toml");
        let arguments = [
            "--package=bench-driver".to_owned(),
            format!("--manifest-path={}", manifest.display()),
            format!("--target-dir={}", workspace.host_target().display()),
        ];
        Self {
            arguments: arguments.to_vec(),
        }
    }

    /// The arguments that select them.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

/// A built test program.
pub(crate) struct TestProgram {
    path: PathBuf,
    /// Root source file of its crate, from the repository's root.
    source: String,
}

/// A line of `cargo build --message-format=json`, as far as it is read.
#[derive(Debug, Deserialize)]
struct BuildMessage {
    executable: Option<PathBuf>,
    target: Option<BuiltTarget>,
    profile: Option<BuiltProfile>,
}

#[derive(Debug, Deserialize)]
struct BuiltTarget {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct BuiltProfile {
    test: bool,
}

/// Builds programs and tests. One build for both: two would unify features in two ways, and compile
/// Wasmtime twice.
pub(crate) fn build(workspace: &Workspace, selection: &Selection) -> Result<Vec<TestProgram>> {
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
    let mut programs = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: BuildMessage =
            serde_json::from_str(line).context("cargo printed something unexpected")?;
        if let BuildMessage {
            executable: Some(path),
            target: Some(target),
            profile: Some(BuiltProfile { test: true }),
        } = message
            && !target.kind.iter().any(|kind| kind == "bench")
        {
            let source = workspace.relative(&target.src_path);
            programs.push(TestProgram { path, source });
        }
    }
    Ok(programs)
}

/// Runs `cargo test` with arguments of the caller's, and records nothing.
pub(crate) fn run_some(workspace: &Workspace, cargo_arguments: &[String]) -> Result<()> {
    process::run(cargo_test(workspace).args(cargo_arguments))
}

/// Runs all tests of `selection` with their output on this terminal; fails when one of them does.
pub(crate) fn run(workspace: &Workspace, selection: &Selection) -> Result<()> {
    let mut command = cargo_test(workspace);
    process::run(command.arg("--no-fail-fast").args(selection.arguments()))
}

/// Asks the programs which tests they have. Those that a plain run does not leave out get `result`.
pub(crate) fn list(programs: &[TestProgram], result: TestResult) -> Result<Vec<RanTest>> {
    let mut tests = Vec::new();
    for program in programs {
        let ignored = program.names(&["--ignored"])?;
        tests.extend(program.names(&[])?.into_iter().map(|name| RanTest {
            target: program.source.clone(),
            result: if ignored.contains(&name) {
                TestResult::Ignored
            } else {
                result
            },
            name,
        }));
    }
    Ok(tests)
}

impl TestProgram {
    /// The names of its tests, as libtest lists them with these arguments.
    fn names(&self, arguments: &[&str]) -> Result<Vec<String>> {
        let listed = process::output(
            Command::new(&self.path)
                .args(["--list", "--format=terse"])
                .args(arguments),
        )?;
        let names = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(str::to_owned).collect())
    }
}

fn cargo_test(workspace: &Workspace) -> Command {
    let mut command = process::cargo();
    command.current_dir(workspace.root()).arg("test");
    if std::env::var_os(THREADS).is_none() {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        command.env(THREADS, (cores * TESTS_PER_CORE).to_string());
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_for_its_tests() {
        let program = TestProgram {
            path: std::env::current_exe().unwrap(),
            source: "xtask/src/main.rs".to_owned(),
        };
        let tests = list(&[program], TestResult::Passed).unwrap();
        let this = RanTest {
            target: "xtask/src/main.rs".to_owned(),
            name: "cargo_test::tests::a_program_is_asked_for_its_tests".to_owned(),
            result: TestResult::Passed,
        };
        assert!(tests.contains(&this), "{tests:?}");
        assert!(tests.iter().all(|test| test.result == TestResult::Passed));
    }

    #[test]
    fn an_ignored_test_is_not_listed_as_one_that_passed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let source = "#[test] fn runs() {}\n#[test] #[ignore] fn waits() {}\n";
        std::fs::write(path("tests.rs"), source).unwrap();
        let mut rustc = Command::new("rustc");
        rustc
            .args(["--test", "-o"])
            .args([path("tests"), path("tests.rs")]);
        process::output(&mut rustc).unwrap();
        let program = TestProgram {
            path: path("tests"),
            source: "tests.rs".to_owned(),
        };
        let tests = list(&[program], TestResult::Failed).unwrap();
        let results: Vec<_> = tests
            .iter()
            .map(|test| (&*test.name, test.result))
            .collect();
        let expected = [("runs", TestResult::Failed), ("waits", TestResult::Ignored)];
        assert_eq!(results, expected);
    }
}
