//! Only the commands, and the crate that they share, see the parser of command lines.

use std::path::Path;

use toml::Table;

use crate::rust_files;

/// Packages that may depend on clap or on `ampoule-command-line`.
const COMMANDS: [&str; 3] = ["command-line", "host/cli", "signing/tool"];

#[test]
fn nothing_below_the_commands_sees_the_parser_of_command_lines() {
    let root = rust_files::root();
    let workspace = read(&root.join("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let mut seen = Vec::new();
    for member in members {
        let folder = member.as_str().unwrap();
        // Tools for those who work on the repository.
        let is_tool = folder == "xtask" || folder.starts_with("tests");
        let manifest = read(&root.join(folder).join("Cargo.toml"));
        if !is_tool && sees_the_parser(&manifest) {
            seen.push(folder);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, COMMANDS);
}

fn read(manifest: &Path) -> Table {
    std::fs::read_to_string(manifest).unwrap().parse().unwrap()
}

fn sees_the_parser(manifest: &Table) -> bool {
    let dependencies = manifest.get("dependencies").and_then(|all| all.as_table());
    dependencies.is_some_and(|all| {
        all.keys()
            .any(|name| name.starts_with("clap") || name == "ampoule-command-line")
    })
}

#[test]
fn a_dependency_on_the_parser_is_seen_though_it_is_optional() {
    for (line, expected) in [
        ("clap = { workspace = true, optional = true }", true),
        ("ampoule-command-line.workspace = true", true),
        ("clap_complete = \"4\"", true),
        ("serde.workspace = true", false),
    ] {
        let manifest = format!("[dependencies]\n{line}\n").parse().unwrap();
        assert_eq!(sees_the_parser(&manifest), expected, "{line}");
    }
}
