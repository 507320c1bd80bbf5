//! Keeps this machine's paths out of the components, so that their bytes do not depend on the folders of the checkout
//! and cargo's registry.
//!
//! The compiler writes the path of each source file that can panic into its output. The workspace's paths are relative
//! already, except for those that build scripts and macros name in full; dependencies' begin with the user's home and
//! the name of a registry.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::process;
use crate::workspace::{GUEST_TARGET, Workspace};

/// Path that replaces the checkout's.
const CHECKOUT: &str = "/ampoule";

/// Path that replaces a folder of dependencies.
const DEPENDENCIES: &str = "/dependencies";

/// `cargo metadata` with all dependencies, as far as it has their folders.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    /// `None` for a package in the checkout.
    source: Option<String>,
    manifest_path: PathBuf,
}

/// Returns the argument for cargo's `--config` that adds the compiler's flags to those of `.cargo/config.toml`.
pub(crate) fn cargo_config(workspace: &Workspace) -> Result<String> {
    let json = process::output(
        process::cargo()
            .current_dir(workspace.root())
            // Fetches missing packages, so that every folder is known before the build.
            .args(["metadata", "--format-version=1", "--quiet"])
            .args(["--filter-platform", GUEST_TARGET]),
    )?;
    let metadata: Metadata =
        serde_json::from_str(&json).context("`cargo metadata` printed something unexpected")?;
    let folders: BTreeSet<&Path> = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_some())
        // Cargo unpacks a package to FOLDER/NAME-VERSION/Cargo.toml.
        .filter_map(|package| package.manifest_path.parent()?.parent())
        .collect();
    config_of(workspace.root(), folders)
}

fn config_of<'a>(
    checkout: &Path,
    dependencies: impl IntoIterator<Item = &'a Path>,
) -> Result<String> {
    // The last prefix that fits is taken, and the registry may lie in the checkout.
    let mut flags = vec![flag(checkout, CHECKOUT)?];
    for folder in dependencies {
        flags.push(flag(folder, DEPENDENCIES)?);
    }
    // A JSON array of strings is a TOML array of strings.
    let flags = serde_json::to_string(&flags)?;
    Ok(format!("target.{GUEST_TARGET}.rustflags={flags}"))
}

fn flag(from: &Path, to: &str) -> Result<String> {
    let from = from
        .to_str()
        .with_context(|| format!("{} is not UTF-8", from.display()))?;
    Ok(format!("--remap-path-prefix={from}={to}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guests;

    #[test]
    fn the_checkout_and_every_folder_of_dependencies_are_remapped() {
        let folders = [Path::new("/home/a \"b\"/registry/one"), Path::new("/two")];
        assert_eq!(
            config_of(Path::new("/home/a/ampoule"), folders).unwrap(),
            "target.wasm32-wasip2.rustflags=[\
             \"--remap-path-prefix=/home/a/ampoule=/ampoule\",\
             \"--remap-path-prefix=/home/a \\\"b\\\"/registry/one=/dependencies\",\
             \"--remap-path-prefix=/two=/dependencies\"]"
        );
    }

    #[test]
    fn no_component_contains_a_path_of_the_machine_that_built_it() {
        let workspace = Workspace::load().unwrap();
        let home = std::env::var("HOME").unwrap();
        let config = cargo_config(&workspace).unwrap();
        // What is remapped from, the home, and where the standard library may have been built.
        let flags: Vec<String> = serde_json::from_str(config.split_once('=').unwrap().1).unwrap();
        let mut forbidden: Vec<String> = flags
            .iter()
            .map(|flag| flag.split('=').nth(1).unwrap().to_owned())
            .collect();
        forbidden.push(format!("{home}/"));
        forbidden.push(format!("{}/", std::env::temp_dir().display()));
        let components = guests::built_components(&workspace).unwrap();
        assert!(components.len() > 2);
        for component in components {
            let wasm = std::fs::read(&component).unwrap_or_else(|error| {
                panic!("{}: {error}; run `cargo xtask guests`", component.display())
            });
            for path in &forbidden {
                let found = wasm
                    .windows(path.len())
                    .any(|window| window == path.as_bytes());
                assert!(!found, "{} contains {path}", component.display());
            }
        }
    }
}
