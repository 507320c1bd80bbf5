//! The repository's root, its packages, and the folders that commands write to.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::process;

/// The target triple of every guest.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// The workspace as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    root: PathBuf,
    /// Cargo's target folder for the host; `CARGO_TARGET_DIR` moves it.
    #[serde(rename = "target_directory")]
    host_target: PathBuf,
    /// Members only.
    pub(crate) packages: Vec<Package>,
    workspace_default_members: Vec<String>,
}

/// A member of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

/// A library, test, example or program of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) crate_types: Vec<String>,
}

/// `[package.metadata]`, as far as it is ours.
#[derive(Debug, Deserialize)]
struct Metadata {
    ampoule: Option<AmpouleMetadata>,
}

/// `[package.metadata.ampoule]` of a guest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AmpouleMetadata {
    relaxed_simd: Option<String>,
}

impl Workspace {
    /// Asks cargo about the workspace that this program was built from.
    pub(crate) fn load() -> Result<Self> {
        let json = process::output(
            process::cargo()
                .args([
                    "metadata",
                    "--format-version",
                    "1",
                    "--no-deps",
                    "--manifest-path",
                ])
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")),
        )?;
        serde_json::from_str(&json).context("`cargo metadata` printed something unexpected")
    }

    /// Returns the repository's root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder for the commands' output. It does not follow `CARGO_TARGET_DIR`: tests and documents
    /// name these paths.
    pub(crate) fn output(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Returns the target folder of guests, apart from the host's: neither side unifies features with the other or
    /// waits for its lock.
    pub(crate) fn guest_target(&self) -> PathBuf {
        self.output().join("guests")
    }

    /// Returns the path of a program that cargo built for the host in `profile`.
    pub(crate) fn host_program(&self, profile: HostProfile, name: &str) -> PathBuf {
        self.host_target
            .join(profile.folder())
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Returns cargo's target folder for the host.
    pub(crate) fn host_target(&self) -> &Path {
        &self.host_target
    }

    /// Lists the folders of packages and workspaces outside this one: those of
    /// [`example_packages`](Self::example_packages), the fuzz targets, and the benchmark.
    pub(crate) fn outside_packages(&self) -> Result<Vec<PathBuf>> {
        let mut folders = self.example_packages()?;
        folders.push(self.fuzz_package());
        folders.push(self.bench());
        Ok(folders)
    }

    /// Returns the folder of the benchmark.
    pub(crate) fn bench(&self) -> PathBuf {
        self.root.join("bench")
    }

    /// Returns the folder of the fuzz targets.
    pub(crate) fn fuzz_package(&self) -> PathBuf {
        self.root.join("fuzz")
    }

    /// Lists the folders of crates that use the workspace's crates as a stranger would.
    pub(crate) fn example_packages(&self) -> Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        let Ok(entries) = std::fs::read_dir(self.root.join("examples")) else {
            return Ok(folders);
        };
        for entry in entries {
            let folder = entry?.path();
            if folder.join("Cargo.toml").is_file() {
                folders.push(folder);
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// Finds the member called `name`.
    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        let Some(package) = self.packages.iter().find(|package| package.name == name) else {
            bail!("the workspace has no package `{name}`");
        };
        Ok(package)
    }

    /// Tells whether a member runs on the host machine.
    pub(crate) fn is_default_member(&self, package: &Package) -> bool {
        self.workspace_default_members.contains(&package.id)
    }

    /// Returns `path` as the repository's documents write it: from the root, with forward slashes.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect::<Vec<_>>()
            .join("/")
    }
}

impl Package {
    /// Tells whether the package has a target of `kind`, such as `bin` or `lib`.
    pub(crate) fn builds(&self, kind: &str) -> bool {
        self.targets
            .iter()
            .any(|target| target.kind.iter().any(|its| its == kind))
    }

    /// Returns the reason for relaxed SIMD in this guest; `None` for a guest without.
    pub(crate) fn relaxed_simd_reason(&self) -> Option<&str> {
        self.metadata
            .as_ref()?
            .ampoule
            .as_ref()?
            .relaxed_simd
            .as_deref()
    }
}

/// Build profile of the host's programs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HostProfile {
    /// Quick to build; tests use it.
    Dev,
    /// The profile of operators.
    Release,
}

impl HostProfile {
    /// Returns the argument for `cargo build`.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Dev => "--profile=dev",
            Self::Release => "--profile=release",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_compiled_without_optimisation_in_the_dev_profile() {
        let workspace = Workspace::load().unwrap();
        let manifest = std::fs::read_to_string(workspace.root().join("Cargo.toml")).unwrap();
        for package in &workspace.packages {
            let table = format!("[profile.dev.package.{}]\nopt-level = 0\n", package.name);
            assert!(
                manifest.contains(&table),
                "Cargo.toml needs\n{table}debug = \"line-tables-only\""
            );
        }
    }
}
