//! Holds the documents to their word: each promise links to the test that keeps it, that test exists,
//! and the last test run lists it as passed.

use std::path::Path;

use anyhow::{Result, bail};

use crate::markdown::{self, Bullet, ItemLink};
use crate::rust_items::{Item, item_in};
use crate::test_report::{RanTest, TestReport, TestResult};
use crate::workspace::Workspace;

/// The document whose section about promises may hold none without a test.
const SECURITY: &str = "SECURITY.md";

/// What that section's heading contains, in small letters.
const PROMISES: &str = "promise";

/// Other documents whose links to Rust items are checked.
const OTHERS: &[&str] = &["ARCHITECTURE.md", "DEPLOYMENT_SECURITY.md", "README.md"];

/// Checks the documents against the files and the record of a test run.
pub(crate) fn check(workspace: &Workspace, report: &TestReport) -> Result<()> {
    finish(check_documents(workspace.root(), Some(report)))
}

/// Checks what can be checked before any test has run: that links name tests that exist.
pub(crate) fn check_links(workspace: &Workspace) -> Result<()> {
    finish(check_documents(workspace.root(), None))
}

fn finish(outcome: Outcome) -> Result<()> {
    if !outcome.problems.is_empty() {
        bail!(
            "promises that no test keeps:\n{}",
            outcome.problems.join("\n")
        );
    }
    println!("{} links from the documents to tests hold", outcome.tests);
    Ok(())
}

#[derive(Debug, Default)]
struct Outcome {
    /// How many links to tests hold.
    tests: usize,
    problems: Vec<String>,
}

fn check_documents(root: &Path, report: Option<&TestReport>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in std::iter::once(&SECURITY).chain(OTHERS) {
        let Ok(text) = std::fs::read_to_string(root.join(name)) else {
            outcome.problems.push(format!("{name} is not there"));
            continue;
        };
        let security = *name == SECURITY;
        if security {
            outcome.problems.extend(unkept_bullets(&text));
        }
        for link in markdown::item_links(&text) {
            match check_link(root, &link, security, report) {
                Ok(Item::Test) => outcome.tests += 1,
                Ok(Item::Code) => {}
                Err(problem) => outcome
                    .problems
                    .push(format!("{name}:{}: {problem}", link.line)),
            }
        }
    }
    outcome
}

/// The bullets among the promises that link to no test.
fn unkept_bullets(security: &str) -> Vec<String> {
    let bullets = markdown::bullets(security, PROMISES).unwrap_or_default();
    if bullets.is_empty() {
        return vec![format!(
            "{SECURITY} has no section about promises that has bullets"
        )];
    }
    let unkept = bullets.iter().filter(|bullet| !bullet.has_item_link());
    unkept
        .map(|Bullet { line, text }| format!("{SECURITY}:{line}: no link to a test: {text}"))
        .collect()
}

fn check_link(
    root: &Path,
    link: &ItemLink,
    must_be_test: bool,
    report: Option<&TestReport>,
) -> Result<Item, String> {
    let ItemLink { name, path, .. } = link;
    let source = std::fs::read_to_string(root.join(path))
        .map_err(|_| format!("`{name}`: there is no file {path}"))?;
    match item_in(&source, name) {
        None => Err(format!("`{name}`: {path} has no item of that name")),
        Some(Item::Code) if must_be_test => Err(format!("`{name}` in {path} is not a test")),
        Some(Item::Code) => Ok(Item::Code),
        Some(Item::Test) => match report {
            None => Ok(Item::Test),
            Some(report) => ran_and_passed(report, name, path).map(|()| Item::Test),
        },
    }
}

fn ran_and_passed(report: &TestReport, name: &str, path: &str) -> Result<(), String> {
    let ran: Vec<_> = report
        .tests
        .iter()
        .filter(|test| is_test(test, name, path))
        .collect();
    if ran.is_empty() {
        return Err(format!("`{name}` in {path} did not run"));
    }
    match ran.iter().find(|test| test.result != TestResult::Passed) {
        None => Ok(()),
        Some(test) => Err(format!(
            "`{name}` in {path} ran as {}, but is {:?}",
            test.name, test.result
        )),
    }
}

/// True when `test` is the function `name` in the file `path`: the file belongs to the test's crate,
/// and the modules in the test's name begin with those that the file's place gives it.
fn is_test(test: &RanTest, name: &str, path: &str) -> bool {
    let Some(modules) = modules_of(path, &test.target) else {
        return false;
    };
    let Some(rest) = test.name.strip_prefix(&modules) else {
        return false;
    };
    rest == name
        || rest
            .strip_suffix(name)
            .is_some_and(|before| before.ends_with("::"))
}

/// The module path of the source file `path` in the crate whose root is `crate_root`, each module with
/// `::` after it; `None` when the file is not of that crate.
fn modules_of(path: &str, crate_root: &str) -> Option<String> {
    if path == crate_root {
        return Some(String::new());
    }
    let folder = crate_root.rsplit_once('/')?.0;
    let inner = path
        .strip_prefix(folder)?
        .strip_prefix('/')?
        .strip_suffix(".rs")?;
    // A test program that is one file keeps its modules in a folder of its name, and names each by its path.
    let (_, root) = crate_root.rsplit_once('/')?;
    let own_folder = inner
        .strip_prefix(root.strip_suffix(".rs")?)
        .and_then(|rest| rest.strip_prefix('/'));
    let inner = own_folder.unwrap_or(inner);
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    Some(format!("{}::", inner.replace('/', "::")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
        pub struct Limits { a: u8 }

        #[test]
        fn a_spinning_guest_is_stopped() {}

        // fn only_a_comment() {}
        fn no_test_any_more() {}
    ";

    /// A repository with one security document, one test file, and the other documents empty.
    fn repository(security: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("tests/tests")).unwrap();
        std::fs::write(root.path().join("tests/tests/hostile.rs"), SOURCE).unwrap();
        std::fs::write(root.path().join(SECURITY), security).unwrap();
        for name in OTHERS {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        root
    }

    fn report(tests: &[(&str, TestResult)]) -> TestReport {
        let target = "tests/tests/hostile.rs".to_owned();
        let tests = tests.iter().map(|(name, result)| RanTest {
            target: target.clone(),
            name: (*name).to_owned(),
            result: *result,
        });
        TestReport {
            tests: tests.collect(),
        }
    }

    const KEPT: &str =
        "## Promises\n- Stopped: [`a_spinning_guest_is_stopped`](tests/tests/hostile.rs)\n";

    fn problems(security: &str, report: Option<&TestReport>) -> Vec<String> {
        check_documents(repository(security).path(), report).problems
    }

    #[test]
    fn a_promise_whose_test_passed_holds() {
        let report = report(&[("a_spinning_guest_is_stopped", TestResult::Passed)]);
        assert_eq!(problems(KEPT, Some(&report)), [] as [String; 0]);
    }

    #[test]
    fn a_promise_whose_test_did_not_run_or_did_not_pass_fails() {
        for report in [
            report(&[]),
            report(&[("another", TestResult::Passed)]),
            report(&[("not_a_spinning_guest_is_stopped", TestResult::Passed)]),
            report(&[("a_spinning_guest_is_stopped", TestResult::Failed)]),
            report(&[("a_spinning_guest_is_stopped", TestResult::Ignored)]),
        ] {
            assert_eq!(problems(KEPT, Some(&report)).len(), 1, "{report:?}");
        }
    }

    #[test]
    fn a_promise_without_a_link_fails() {
        let security = format!("{KEPT}- We promise this, too: [`spin`], [the docs](docs.md)\n");
        let problems = problems(&security, None);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].starts_with("SECURITY.md:3: no link to a test"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_document_without_promises_fails() {
        assert_eq!(problems("## Reporting\n", None).len(), 1);
        assert_eq!(problems("## Promises\nMany.\n", None).len(), 1);
    }

    #[test]
    fn a_link_to_what_is_no_test_fails() {
        for (link, why) in [
            (
                "[`a_spinning_guest_is_stopped`](tests/tests/gone.rs)",
                "there is no file",
            ),
            (
                "[`renamed_since`](tests/tests/hostile.rs)",
                "no item of that name",
            ),
            (
                "[`only_a_comment`](tests/tests/hostile.rs)",
                "no item of that name",
            ),
            (
                "[`no_test_any_more`](tests/tests/hostile.rs)",
                "is not a test",
            ),
        ] {
            let problems = problems(&format!("## Promises\n- {link}\n"), None);
            assert_eq!(problems.len(), 1, "{link}");
            assert!(problems[0].contains(why), "{problems:?}");
        }
    }

    #[test]
    fn a_missing_document_fails() {
        let root = repository(KEPT);
        std::fs::remove_file(root.path().join("README.md")).unwrap();
        assert_eq!(
            check_documents(root.path(), None).problems,
            ["README.md is not there"]
        );
    }

    #[test]
    fn other_documents_may_link_to_code_but_not_to_nothing() {
        let root = repository(KEPT);
        let path = root.path().join("README.md");
        std::fs::write(&path, "[`Limits`](tests/tests/hostile.rs)").unwrap();
        assert_eq!(check_documents(root.path(), None).problems.len(), 0);
        std::fs::write(&path, "[`OldLimits`](tests/tests/hostile.rs)").unwrap();
        assert_eq!(check_documents(root.path(), None).problems.len(), 1);
    }

    #[test]
    fn a_unit_test_is_found_by_the_module_of_its_file() {
        let ran = |target: &str, name: &str| RanTest {
            target: target.to_owned(),
            name: name.to_owned(),
            result: TestResult::Passed,
        };
        let unit = ran("signing/src/lib.rs", "envelope::tests::flipped");
        assert!(is_test(&unit, "flipped", "signing/src/envelope.rs"));
        assert!(!is_test(&unit, "flipped", "signing/src/key.rs"));
        assert!(!is_test(&unit, "flipped", "host/runtime/src/envelope.rs"));
        assert!(is_test(
            &ran("signing/src/lib.rs", "a::b::tests::flipped"),
            "flipped",
            "signing/src/a/b/mod.rs"
        ));
        assert!(is_test(
            &ran("signing/src/lib.rs", "tests::flipped"),
            "flipped",
            "signing/src/lib.rs"
        ));
        assert!(is_test(
            &ran("tests/tests/tamper.rs", "keys::flipped"),
            "flipped",
            "tests/tests/keys.rs"
        ));
    }

    #[test]
    fn a_files_place_gives_the_modules_of_its_tests() {
        for (path, root, modules) in [
            ("tests/tests/hostile.rs", "tests/tests/hostile.rs", ""),
            (
                "tests/tests/hostile/time.rs",
                "tests/tests/hostile/main.rs",
                "time::",
            ),
            (
                "tests/tests/hostile/time.rs",
                "tests/tests/hostile.rs",
                "time::",
            ),
            (
                "host/runtime/src/a/b.rs",
                "host/runtime/src/lib.rs",
                "a::b::",
            ),
            (
                "host/runtime/src/a/mod.rs",
                "host/runtime/src/lib.rs",
                "a::",
            ),
        ] {
            assert_eq!(modules_of(path, root).as_deref(), Some(modules), "{path}");
        }
        assert_eq!(
            modules_of("signing/src/key.rs", "host/runtime/src/lib.rs"),
            None
        );
    }
}
