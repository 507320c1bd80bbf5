//! The server's handlers and routes: no model is seen but through the caller, and no route is made beside the table.

use crate::rust_files;

const SERVER: &str = "host/server/src";

/// The one file that makes routes of the service.
const TABLE: &str = "host/server/src/protection/routes.rs";

/// Returns the lines of the server's files below a folder that have one of these words, as `file: line`, without those of
/// comments and of tests.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let files = rust_files::below(&rust_files::root().join(folder));
    assert!(!files.is_empty(), "{folder}");
    let mut found = Vec::new();
    for file in files {
        let name = rust_files::name(&file);
        let text = std::fs::read_to_string(&file).unwrap();
        if name.ends_with("_tests.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("//"));
        let lines = lines.filter(|line| words.iter().any(|word| line.contains(word)));
        found.extend(lines.map(|line| format!("{name}: {line}")));
    }
    found
}

#[test]
fn handlers_see_models_only_as_their_caller_may() {
    for folder in ["families", "core", "http", "page"] {
        let found = lines_with(
            &format!("{SERVER}/{folder}"),
            &[".models()", "Models,", "Models;"],
        );
        assert_eq!(found, Vec::<String>::new());
    }
    let visible = lines_with(&format!("{SERVER}/families"), &[".visible("]);
    assert!(visible.len() > 8, "{visible:?}");
}

#[test]
fn a_route_is_made_with_its_rule_in_one_file() {
    let makers = ["OpenApiRouter", ".route(", "route_service("];
    let found = lines_with(SERVER, &makers);
    let elsewhere = found.iter().filter(|line| !line.starts_with(TABLE));
    assert_eq!(elsewhere.collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(found.len() > 3, "{found:?}");
}
