//! Promises: the table `docs/promises.toml`, the page made of it, and the tests that keep them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::links::{self, FunctionLink};
use crate::test_report::{RanTest, TestReport, TestResult};

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
    /// The end of the promise, or its way of being tested.
    note: Option<String>,
    /// The names of the tests, by their file from the repository's root.
    tests: BTreeMap<String, Vec<String>>,
}

/// Checks that all links lead somewhere, that the page is current, and that each test of the table and the
/// documents exists; with the report of a run, also that it ran and passed.
///
/// # Errors
///
/// All that does not hold, a line each; or a file that cannot be read.
pub fn check(root: &Path, report: Option<&TestReport>) -> Result<usize> {
    let (tests, problems) = check_documents(root, report)?;
    ensure!(
        problems.is_empty(),
        "the documents do not hold:\n{}",
        problems.join("\n")
    );
    Ok(tests)
}

/// Makes the page of the table.
///
/// # Errors
///
/// A file that cannot be read or written.
pub fn write(root: &Path) -> Result<()> {
    let page = Table::read(root)?.page();
    std::fs::write(root.join(PAGE), page).with_context(|| format!("cannot write {PAGE}"))
}

/// Returns the number of links to tests, and all problems.
fn check_documents(root: &Path, report: Option<&TestReport>) -> Result<(usize, Vec<String>)> {
    let table = Table::read(root)?;
    let (links, mut problems) = links::follow(root)?;
    if std::fs::read_to_string(root.join(PAGE)).ok() != Some(table.page()) {
        problems.push(format!(
            "{PAGE} is not what {TABLE} makes: run `cargo xtask promises --write`"
        ));
    }
    let mut ids = BTreeSet::new();
    for promise in table.subject.iter().flat_map(|subject| &subject.promise) {
        let Promise { id, tests, .. } = promise;
        if !ids.insert(id) {
            problems.push(format!("{TABLE}: {id} stands twice"));
        }
        if tests.values().all(Vec::is_empty) {
            problems.push(format!("{TABLE}: no test keeps {id}"));
        }
        for (name, path) in promise.tests() {
            // The page has a link to it, which was followed.
            let is_link = |link: &FunctionLink| link.name == *name && link.path == *path;
            if !links.iter().any(is_link) {
                problems.push(format!("{TABLE}: {id}: {path} has no test `{name}`"));
            }
        }
    }
    if let Some(report) = report {
        problems.extend(links.iter().filter_map(|link| not_passed(report, link)));
    }
    Ok((links.len(), problems))
}

impl Table {
    fn read(root: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(root.join(TABLE))
            .with_context(|| format!("cannot read {TABLE}"))?;
        toml::from_str(&text).with_context(|| format!("{TABLE} is not a table of promises"))
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
            let intro = subject
                .intro
                .as_deref()
                .map_or_else(String::new, |intro| format!("\n{intro}"));
            _ = writeln!(
                page,
                "\n<a id=\"{id}\"></a>\n\n## {title}\n\nLayer: {layer}.{intro}"
            );
            for promise in &subject.promise {
                let Promise { id, sentence, .. } = promise;
                let note = promise
                    .note
                    .as_deref()
                    .map_or_else(String::new, |note| format!(" {note}"));
                let tests: Vec<_> = (promise.tests())
                    .map(|(name, path)| format!("[`{name}`](../{path})"))
                    .collect();
                let tests = tests.join(",\n  ");
                _ = writeln!(
                    page,
                    "\n* <a id=\"{id}\"></a>**{sentence}**{note}\n  Tests: {tests}."
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

fn not_passed(report: &TestReport, test: &FunctionLink) -> Option<String> {
    let FunctionLink { place, name, path } = test;
    let mut runs = (report.tests.iter()).filter(|run| is_run_of(run, name, path));
    let Some(first) = runs.next() else {
        return Some(format!("{place}: `{name}` in {path} did not run"));
    };
    let bad = std::iter::once(first)
        .chain(runs)
        .find(|run| run.result != TestResult::Passed)?;
    Some(format!("{place}: `{name}` in {path} is {:?}", bad.result))
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
        \"tests/hostile.rs\" = [\"a_spinning_guest_is_stopped\"]
    ";

    /// Lists the problems of a repository with this table, the page made of `made_of`, a document with a link to
    /// another test, and a file of both tests.
    fn problems(table: &str, made_of: &str, report: Option<&TestReport>) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let source = "#[test]\nfn a_spinning_guest_is_stopped() {}\n#[test]\nfn another() {}\n";
        for (path, text) in [
            (TABLE, table),
            (PAGE, &toml::from_str::<Table>(made_of).unwrap().page()),
            ("SECURITY.md", "[`another`](tests/hostile.rs)"),
            ("tests/hostile.rs", source),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        check_documents(root.path(), report).unwrap().1
    }

    fn run(target: &str, name: &str, result: TestResult) -> RanTest {
        RanTest {
            target: target.to_owned(),
            name: name.to_owned(),
            result,
        }
    }

    #[test]
    fn a_test_of_the_table_or_a_document_has_to_run_and_pass() {
        use TestResult::{Failed, Ignored, Passed};
        let spinning = "a_spinning_guest_is_stopped";
        for (tests, count) in [
            (vec![("another", Passed), (spinning, Passed)], 0),
            (vec![(spinning, Passed)], 1),
            (vec![("another", Passed)], 1),
            (vec![("another", Passed), (spinning, Failed)], 1),
            (vec![("another", Passed), (spinning, Ignored)], 1),
            (
                vec![
                    ("another", Passed),
                    ("not_a_spinning_guest_is_stopped", Passed),
                ],
                1,
            ),
        ] {
            let tests = tests
                .iter()
                .map(|(name, result)| run("tests/hostile.rs", name, *result));
            let report = TestReport {
                tests: tests.collect(),
            };
            let problems = problems(KEPT, KEPT, Some(&report));
            assert_eq!(problems.len(), count, "{report:?}: {problems:?}");
        }
    }

    #[test]
    fn a_promise_needs_a_test_that_exists_an_id_of_its_own_and_a_line_of_the_page() {
        let test = "[\"a_spinning_guest_is_stopped\"]";
        let twice = &format!(
            "{KEPT}{}",
            &KEPT[KEPT.find("[[subject.promise]]").unwrap()..]
        );
        for (table, made_of, why) in [
            (&KEPT.replace(test, "[]"), None, "no test keeps deadline"),
            (
                &KEPT.replace(test, "[\"test\"]"),
                None,
                "has no test `test`",
            ),
            (
                &KEPT.replace("hostile", "gone"),
                None,
                "there is no tests/gone.rs",
            ),
            (twice, None, "deadline stands twice"),
            (&KEPT.replace("spins", "sleeps"), Some(KEPT), "is not what"),
        ] {
            let problems = problems(table, made_of.unwrap_or(table), None);
            assert!(
                problems.iter().any(|problem| problem.contains(why)),
                "{why}: {problems:?}"
            );
        }
    }

    #[test]
    fn a_test_is_known_by_its_name_its_file_and_its_crate() {
        let unit = "signing/src/lib.rs";
        for (target, name, path, is_it) in [
            (
                unit,
                "envelope::tests::flipped",
                "signing/src/envelope.rs",
                true,
            ),
            (
                unit,
                "envelope::tests::flipped",
                "signing/src/key.rs",
                false,
            ),
            (
                unit,
                "envelope::tests::flipped",
                "host/src/envelope.rs",
                false,
            ),
            (
                unit,
                "envelope::tests::flipped_twice",
                "signing/src/envelope.rs",
                false,
            ),
            (unit, "a::b::tests::flipped", "signing/src/a/b/mod.rs", true),
            (unit, "tests::flipped", "signing/src/lib.rs", true),
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
            let run = run(target, name, TestResult::Passed);
            assert_eq!(is_run_of(&run, "flipped", path), is_it, "{name} in {path}");
        }
    }
}
