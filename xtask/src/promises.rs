//! Promises: the table `docs/promises.toml`, the page made of it, and the tests that keep them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::links::{self, FunctionLink, Links};
use crate::test_report::{RanTest, TestReport, TestResult};
use crate::workspace::Workspace;

const TABLE: &str = "docs/promises.toml";
const PAGE: &str = "docs/promises.md";

/// The beginning of the page.
const HEAD: &str = "# Promises

<!-- Made of promises.toml by `cargo xtask promises --write`. -->

A sentence here is a promise because a test keeps it. CI fails when one of these tests is missing, fails or did not run.
[SECURITY.md](../SECURITY.md) says which attackers each layer stops, and what is not promised.

";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    subject: Vec<Subject>,
}

/// Promises about one thing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    id: String,
    title: String,
    /// The layer of the sandbox that keeps them.
    layer: String,
    intro: Option<String>,
    promise: Vec<Promise>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Promise {
    id: String,
    sentence: String,
    /// Where the promise ends, or how it is tested.
    note: Option<String>,
    /// The names of the tests, by their file from the repository's root.
    tests: BTreeMap<String, Vec<String>>,
}

/// Checks that all links lead somewhere, that the page is current, and that each test of the table and the
/// documents exists; with the report of a run, also that it ran and passed.
pub(crate) fn check(workspace: &Workspace, report: Option<&TestReport>) -> Result<()> {
    let (tests, problems) = check_documents(workspace.root(), report)?;
    ensure!(
        problems.is_empty(),
        "the documents do not hold:\n{}",
        problems.join("\n")
    );
    println!("{tests} links from promises and documents to tests hold");
    Ok(())
}

/// Makes the page of the table.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let page = Table::read(workspace.root())?.page();
    std::fs::write(workspace.root().join(PAGE), page)
        .with_context(|| format!("cannot write {PAGE}"))
}

/// How many links to tests there are, and all that is wrong.
fn check_documents(root: &Path, report: Option<&TestReport>) -> Result<(usize, Vec<String>)> {
    let table = Table::read(root)?;
    let Links {
        functions,
        mut problems,
    } = links::follow(root)?;
    problems.extend(table.doubled_or_empty());
    if std::fs::read_to_string(root.join(PAGE)).ok() != Some(table.page()) {
        problems.push(format!(
            "{PAGE} is not what {TABLE} makes: run `cargo xtask promises --write`"
        ));
    }
    let mut tests = table.tests();
    problems.extend(tests.iter().filter_map(|test| missing(root, test)));
    // The page is the table once more.
    tests.extend((functions.into_iter()).filter(|link| !link.place.starts_with(PAGE)));
    if let Some(report) = report {
        problems.extend(tests.iter().filter_map(|test| not_passed(report, test)));
    }
    Ok((tests.len(), problems))
}

impl Table {
    fn read(root: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(root.join(TABLE))
            .with_context(|| format!("cannot read {TABLE}"))?;
        toml::from_str(&text).with_context(|| format!("{TABLE} is not a table of promises"))
    }

    fn promises(&self) -> impl Iterator<Item = &Promise> {
        self.subject.iter().flat_map(|subject| &subject.promise)
    }

    fn tests(&self) -> Vec<FunctionLink> {
        let tests_of = |promise: &Promise| {
            let link = |(name, path): (&String, &String)| FunctionLink {
                place: format!("{TABLE}: {}", promise.id),
                name: name.clone(),
                path: path.clone(),
            };
            promise.tests().map(link).collect::<Vec<_>>()
        };
        self.promises().flat_map(tests_of).collect()
    }

    /// Ids that stand twice, and promises that no test keeps.
    fn doubled_or_empty(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let ids = (self.subject.iter().map(|subject| &subject.id))
            .chain(self.promises().map(|promise| &promise.id));
        let doubled = ids
            .filter(|id| !seen.insert(*id))
            .map(|id| format!("{TABLE}: {id} stands twice"));
        let empty = (self
            .promises()
            .filter(|promise| promise.tests().next().is_none()))
        .map(|promise| format!("{TABLE}: no test keeps {}", promise.id));
        doubled
            .collect::<Vec<_>>()
            .into_iter()
            .chain(empty)
            .collect()
    }

    /// The table for readers, in Markdown.
    fn page(&self) -> String {
        let mut page = HEAD.to_owned();
        for Subject { id, title, .. } in &self.subject {
            _ = writeln!(page, "* [{title}](#{id})");
        }
        for subject in &self.subject {
            let Subject {
                id, title, layer, ..
            } = subject;
            let intro = subject.intro.as_deref().unwrap_or_default();
            _ = writeln!(
                page,
                "\n<a id=\"{id}\"></a>\n\n## {title}\n\nLayer: {layer}.\n{intro}"
            );
            for promise in &subject.promise {
                let Promise { id, sentence, .. } = promise;
                let note = promise.note.as_deref().unwrap_or_default();
                let tests: Vec<_> = (promise.tests())
                    .map(|(name, path)| format!("[`{name}`](../{path})"))
                    .collect();
                let tests = tests.join(",\n  ");
                _ = writeln!(
                    page,
                    "\n* <a id=\"{id}\"></a>**{sentence}** {note}\n  Tests: {tests}."
                );
            }
        }
        page
    }
}

impl Promise {
    /// The name and the file of each test.
    fn tests(&self) -> impl Iterator<Item = (&String, &String)> {
        (self.tests.iter()).flat_map(|(path, names)| names.iter().map(move |name| (name, path)))
    }
}

fn missing(root: &Path, test: &FunctionLink) -> Option<String> {
    let FunctionLink { place, name, path } = test;
    match std::fs::read_to_string(root.join(path)) {
        Err(_) => Some(format!("{place}: there is no file {path}")),
        Ok(source) if links::declares_function(&source, name) => None,
        Ok(_) => Some(format!("{place}: {path} has no test `{name}`")),
    }
}

fn not_passed(report: &TestReport, test: &FunctionLink) -> Option<String> {
    let FunctionLink { place, name, path } = test;
    let mut runs = report
        .tests
        .iter()
        .filter(|run| is_run_of(run, name, path))
        .peekable();
    if runs.peek().is_none() {
        return Some(format!("{place}: `{name}` in {path} did not run"));
    }
    let run = runs.find(|run| run.result != TestResult::Passed)?;
    Some(format!("{place}: `{name}` in {path} is {:?}", run.result))
}

/// True when `run` is the function `name` in the file `path`: a file of the crate whose root is the run's
/// target, and that root itself or the file of one of the modules in the run's name.
fn is_run_of(run: &RanTest, name: &str, path: &str) -> bool {
    let mut modules = run.name.rsplit("::");
    if modules.next() != Some(name) {
        return false;
    }
    if path == run.target {
        return true;
    }
    let in_crate = (run.target.rsplit_once('/')).is_some_and(|(folder, _)| {
        (path.strip_prefix(folder)).is_some_and(|rest| rest.starts_with('/'))
    });
    let path = path.strip_suffix("/mod.rs").unwrap_or(path);
    let module = path.rsplit('/').next().unwrap_or(path);
    let module = module.strip_suffix(".rs").unwrap_or(module);
    in_crate && modules.any(|its| its == module)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = "
        [[subject]]
        id = \"stopped\"
        title = \"A guest is stopped\"
        layer = \"Limits\"
        [[subject.promise]]
        id = \"deadline\"
        sentence = \"A guest that spins is stopped.\"
        [subject.promise.tests]
        \"tests/tests/hostile.rs\" = [\"a_spinning_guest_is_stopped\"]
    ";

    /// A repository with this table, the page made of it, a document and one file of tests.
    fn repository(table: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["docs", "tests/tests"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let source = "#[test]\nfn a_spinning_guest_is_stopped() {}\n#[test]\nfn another() {}\n";
        let page = toml::from_str::<Table>(table).unwrap().page();
        for (path, text) in [
            (TABLE, table),
            (PAGE, &page),
            ("SECURITY.md", "[`another`](tests/tests/hostile.rs)"),
            ("tests/tests/hostile.rs", source),
        ] {
            std::fs::write(root.path().join(path), text).unwrap();
        }
        root
    }

    fn report(tests: &[(&str, TestResult)]) -> TestReport {
        let tests = tests.iter().map(|(name, result)| RanTest {
            target: "tests/tests/hostile.rs".to_owned(),
            name: (*name).to_owned(),
            result: *result,
        });
        TestReport {
            tests: tests.collect(),
        }
    }

    fn problems(table: &str, report: Option<&TestReport>) -> Vec<String> {
        check_documents(repository(table).path(), report).unwrap().1
    }

    #[test]
    fn a_promise_whose_test_passed_holds() {
        let passed =
            ["a_spinning_guest_is_stopped", "another"].map(|name| (name, TestResult::Passed));
        assert_eq!(problems(KEPT, Some(&report(&passed))), [] as [String; 0]);
    }

    #[test]
    fn a_test_of_the_table_or_a_document_that_did_not_run_or_pass_fails() {
        let other = ("another", TestResult::Passed);
        for tests in [
            vec![other],
            vec![
                other,
                ("not_a_spinning_guest_is_stopped", TestResult::Passed),
            ],
            vec![other, ("a_spinning_guest_is_stopped", TestResult::Failed)],
            vec![other, ("a_spinning_guest_is_stopped", TestResult::Ignored)],
            vec![("a_spinning_guest_is_stopped", TestResult::Passed)],
        ] {
            assert_eq!(problems(KEPT, Some(&report(&tests))).len(), 1, "{tests:?}");
        }
    }

    #[test]
    fn a_promise_without_a_test_that_exists_fails() {
        let test = "[\"a_spinning_guest_is_stopped\"]";
        for (table, why) in [
            (KEPT.replace(test, "[]"), "no test keeps deadline"),
            (KEPT.replace(test, "[\"renamed_since\"]"), "has no test"),
            (KEPT.replace("hostile.rs", "gone.rs"), "there is no file"),
            (KEPT.replace("deadline", "stopped"), "stands twice"),
        ] {
            let problems = problems(&table, None);
            assert!(
                problems.iter().any(|problem| problem.contains(why)),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn a_page_that_is_not_the_tables_fails() {
        let root = repository(KEPT);
        std::fs::write(root.path().join(PAGE), "# Promises\n").unwrap();
        let problems = check_documents(root.path(), None).unwrap().1;
        assert_eq!(problems.len(), 1, "{problems:?}");
    }

    #[test]
    fn a_test_is_known_by_its_name_its_file_and_its_crate() {
        for (target, name, path, is_it) in [
            (
                "signing/src/lib.rs",
                "envelope::tests::flipped",
                "signing/src/envelope.rs",
                true,
            ),
            (
                "signing/src/lib.rs",
                "envelope::tests::flipped",
                "signing/src/key.rs",
                false,
            ),
            (
                "signing/src/lib.rs",
                "envelope::tests::flipped",
                "host/src/envelope.rs",
                false,
            ),
            (
                "signing/src/lib.rs",
                "envelope::tests::flipped_twice",
                "signing/src/envelope.rs",
                false,
            ),
            (
                "signing/src/lib.rs",
                "a::b::tests::flipped",
                "signing/src/a/b/mod.rs",
                true,
            ),
            (
                "signing/src/lib.rs",
                "tests::flipped",
                "signing/src/lib.rs",
                true,
            ),
            (
                "tests/tests/hostile/main.rs",
                "time::flipped",
                "tests/tests/hostile/time.rs",
                true,
            ),
            (
                "tests/tests/hostile.rs",
                "time::flipped",
                "tests/tests/hostile/time.rs",
                true,
            ),
        ] {
            let run = RanTest {
                target: target.to_owned(),
                name: name.to_owned(),
                result: TestResult::Passed,
            };
            assert_eq!(is_run_of(&run, "flipped", path), is_it, "{name} in {path}");
        }
    }
}
