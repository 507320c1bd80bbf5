//! The crates below `ampoule-serve`: a process that only serves has no key, no compiler, no files and no command line.

use std::process::Command;

use crate::rust_files;

/// Crates that may be nowhere below.
const NOWHERE: [&str; 8] = [
    "ampoule-load",
    "ampoule-signing",
    "clap",
    "ed25519-dalek",
    "regalloc2",
    "toml",
    "wasmtime-cranelift",
    "wasmtime-wizer",
];

/// Crates of Cranelift that hold containers and no compiler. `wasmtime-environ` always depends on them.
const CONTAINERS: [&str; 3] = ["cranelift-bforest", "cranelift-bitset", "cranelift-entity"];

/// Crates that serving and its sandboxes may not use themselves. `wasmtime-wasi` depends on cap-std for a guest's
/// directories, of which a model has none.
const NOT_DIRECTLY: [&str; 1] = ["cap-std"];

/// A package, and its distance from `ampoule-serve`.
type Dependency = (usize, String);

#[test]
fn serving_depends_on_no_key_no_compiler_no_files_and_no_command_line() {
    let found = below("ampoule-serve");
    assert!(found.contains(&(1, "ampoule-sandbox".to_owned())));
    for container in CONTAINERS {
        assert!(
            found.iter().any(|(_, name)| name == container),
            "{container}"
        );
    }
    assert_eq!(forbidden(&found), Vec::<&Dependency>::new());
    let sandbox = below("ampoule-sandbox");
    assert_eq!(forbidden(&sandbox), Vec::<&Dependency>::new());
}

#[test]
fn no_library_depends_on_the_parser_of_command_lines_at_any_depth() {
    for package in ["ampoule", "ampoule-signing", "ampoule-units"] {
        let found = below(package);
        let parsers = found.iter().filter(|(_, name)| name.starts_with("clap"));
        assert_eq!(
            parsers.collect::<Vec<_>>(),
            Vec::<&Dependency>::new(),
            "{package}"
        );
    }
    let command = below("ampoule-cli");
    assert!(command.iter().any(|(_, name)| name == "clap"));
}

/// A credential is checked, an audit log written and an answer kept without a web server around it.
#[test]
fn access_the_audit_log_and_kept_answers_depend_on_no_http_no_sandbox_and_no_command_line() {
    let is_foreign = |name: &str| {
        ["axum", "clap", "hyper", "tokio", "tower", "wasmtime"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    for package in ["ampoule-access", "ampoule-answers", "ampoule-audit"] {
        let found = below(package);
        assert!(found.contains(&(1, "ampoule-signing".to_owned())));
        let foreign = found.iter().filter(|(_, name)| is_foreign(name));
        assert_eq!(
            foreign.collect::<Vec<_>>(),
            Vec::<&Dependency>::new(),
            "{package}"
        );
    }
    let server = below("ampoule-server");
    assert!(server.iter().any(|(_, name)| is_foreign(name)));
}

/// The encryption of the audit log is a heavy dependency, and one file asks for it.
#[test]
fn one_file_imports_the_encryption_of_the_audit_log() {
    let imports = |source: &str| {
        source.contains("age::x25519") || source.contains("use age::") || source.contains("zstd::")
    };
    let users: Vec<_> = rust_files::below(&rust_files::root().join("host"))
        .into_iter()
        .filter(|path| imports(&std::fs::read_to_string(path).unwrap()))
        .map(|path| rust_files::name(&path))
        .collect();
    assert_eq!(users, ["host/audit/src/seal.rs"]);
}

#[test]
fn loading_is_seen_to_depend_on_them() {
    let found = below("ampoule-load");
    let names: Vec<_> = forbidden(&found).iter().map(|(_, name)| &**name).collect();
    for expected in [
        "cranelift-codegen",
        "ed25519-dalek",
        "toml",
        "wasmtime-wizer",
    ] {
        assert!(names.contains(&expected), "{expected}: {names:?}");
    }
}

fn forbidden(found: &[Dependency]) -> Vec<&Dependency> {
    let is_compiler = |name: &str| name.starts_with("cranelift") && !CONTAINERS.contains(&name);
    found
        .iter()
        .filter(|(depth, name)| {
            NOWHERE.contains(&&**name)
                || is_compiler(name)
                || (*depth == 1 && NOT_DIRECTLY.contains(&&**name))
        })
        .collect()
}

/// Lists all that a package is built with by itself, but for build scripts and tests.
fn below(package: &str) -> Vec<Dependency> {
    let output = Command::new(env!("CARGO"))
        .current_dir(rust_files::root())
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "depth"])
        .args(["--package", package])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let mut found: Vec<_> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(dependency)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Reads a line such as `2cranelift-entity v0.135.8`.
fn dependency(line: &str) -> Option<Dependency> {
    let digits = line.find(|c: char| !c.is_ascii_digit())?;
    let (depth, rest) = line.split_at(digits);
    let name = rest.split_whitespace().next()?;
    Some((depth.parse().ok()?, name.to_owned()))
}
