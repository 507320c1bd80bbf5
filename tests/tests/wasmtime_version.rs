//! The rule for updating Wasmtime, as far as files can keep it: every lock file of this repository has one Wasmtime,
//! of one line and one version.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use ampoule_tests::workspace_file;

/// The line with long-term support that this version of Ampoule is on.
const LINE: &str = "48.";

/// Prefixes of packages that belong to Wasmtime and have its version.
fn is_wasmtimes(name: &str) -> bool {
    name == "wasmtime" || name.starts_with("wasmtime-")
}

/// Lists the name and version of each package in a lock file.
fn packages(lock_file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(workspace_file(lock_file)).unwrap();
    let field = |package: &str, name: &str| {
        let begin = format!("{name} = \"");
        let line = package.lines().find_map(|line| line.strip_prefix(&begin));
        line.unwrap().trim_end_matches('"').to_owned()
    };
    let packages = text.split("[[package]]\n").skip(1);
    packages
        .map(|package| (field(package, "name"), field(package, "version")))
        .collect()
}

#[test]
fn every_lock_file_holds_one_wasmtime_of_the_long_term_line() {
    let mut versions = BTreeSet::new();
    for lock_file in [
        "Cargo.lock",
        "bench/Cargo.lock",
        "examples/embed-service/Cargo.lock",
        "fuzz/Cargo.lock",
    ] {
        let packages = packages(lock_file);
        let engines = packages.iter().filter(|(name, _)| name == "wasmtime");
        let count = engines.count();
        // What is fuzzed need not contain the engine, but may contain parts of it.
        assert!(
            count == 1 || (count == 0 && lock_file.starts_with("fuzz")),
            "{lock_file}: {count}"
        );
        versions.extend(
            packages
                .into_iter()
                .filter(|(name, _)| is_wasmtimes(name))
                .map(|(_, version)| version),
        );
    }
    assert_eq!(versions.len(), 1, "one version of everything: {versions:?}");
    assert!(
        versions.iter().all(|version| version.starts_with(LINE)),
        "{versions:?}"
    );
}

#[test]
fn the_compiler_is_the_one_of_this_wasmtime_and_there_is_no_other() {
    let packages = packages("Cargo.lock");
    for name in ["cranelift-codegen", "regalloc2", "pulley-interpreter"] {
        let found = packages.iter().filter(|(package, _)| package == name);
        assert!(found.count() <= 1, "{name}");
    }
    assert!(packages.iter().any(|(name, _)| name == "cranelift-codegen"));
    // A second compiler would be a second thing to trust with strangers' bytes.
    assert!(packages.iter().all(|(name, _)| !name.contains("winch")));
}

#[test]
fn the_security_policy_names_the_line() {
    let policy = std::fs::read_to_string(workspace_file("SECURITY.md")).unwrap();
    assert!(policy.contains(&format!("Wasmtime {LINE}x")));
}
