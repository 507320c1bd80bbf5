//! Makes a bundle as its publisher would: a manifest of the files in a folder, and a signature by a key that lives
//! no longer.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process;
use crate::workspace::{HostProfile, Workspace};

/// The feature of `ampoule` that sends traces.
pub(crate) const TRACES: &str = "ampoule-cli/otel";

/// The publisher's part of a manifest.
pub(crate) struct Recipe {
    pub(crate) publisher: &'static str,
    pub(crate) name: &'static str,
    /// The package of its guest.
    pub(crate) package: &'static str,
    pub(crate) tasks: &'static [&'static str],
    pub(crate) description: &'static str,
    pub(crate) source: &'static str,
    /// Needs of one sandbox, as options of `ampoule-sign init`; the command guesses the others.
    pub(crate) limits: &'static [&'static str],
    /// Capabilities beyond the inert base.
    pub(crate) capabilities: &'static [&'static str],
}

/// The release of a bundle, which tells it from others of its recipe.
pub(crate) struct Release {
    pub(crate) number: u64,
    /// Date and time by RFC 3339; none means now.
    pub(crate) created: Option<String>,
}

/// Writes the manifest of the files in `folder`, and returns it as JSON.
pub(crate) fn write_manifest(
    workspace: &Workspace,
    recipe: &Recipe,
    release: &Release,
    folder: &Path,
    profile: HostProfile,
) -> Result<Value> {
    let mut init = program(workspace, profile, "ampoule-sign");
    init.args(["init", "--json"])
        .arg(folder)
        .args(["--publisher", recipe.publisher, "--name", recipe.name])
        .args(["--version", env!("CARGO_PKG_VERSION")])
        .args(["--release", &release.number.to_string()])
        .args(["--description", recipe.description])
        .args(["--source", recipe.source])
        .args(recipe.limits);
    for task in recipe.tasks {
        init.args(["--task", task]);
    }
    for capability in recipe.capabilities {
        init.args(["--capability", capability]);
    }
    if let Some(created) = &release.created {
        init.args(["--created", created]);
    }
    let mut answer: Value = serde_json::from_str(&process::output(&mut init)?)
        .context("`ampoule-sign init --json` printed something unexpected")?;
    Ok(answer["manifest"].take())
}

/// Signs the bundle in `folder` with a key that is made for it and never leaves the signer's memory;
/// writes the public key.
pub(crate) fn sign_once(
    workspace: &Workspace,
    folder: &Path,
    public_key: &Path,
    profile: HostProfile,
) -> Result<()> {
    process::output(
        program(workspace, profile, "ampoule-sign")
            .arg("sign")
            .arg(folder)
            .arg("--one-time-key")
            .arg(public_key),
    )?;
    Ok(())
}

/// Trusts the key to sign in the publisher's name, in a trust directory.
pub(crate) fn trust(
    workspace: &Workspace,
    publisher: &str,
    public_key: &Path,
    directory: &Path,
    profile: HostProfile,
) -> Result<()> {
    process::output(
        program(workspace, profile, "ampoule")
            .args(["trust", "add", "--publisher", publisher, "--trust"])
            .arg(directory)
            .arg(public_key),
    )?;
    Ok(())
}

/// Builds `ampoule` and `ampoule-sign`.
pub(crate) fn build_programs(workspace: &Workspace, profile: HostProfile) -> Result<()> {
    process::run(&mut host_build(
        workspace,
        profile,
        &["ampoule", "ampoule-sign"],
    ))
}

/// Builds `ampoule` with the feature `otel`, keeps it beside the others as `ampoule-otel`, and puts the program without
/// the feature in its place again.
///
/// The tests depend on OpenTelemetry's definitions with the features that the exporter has. So all that is compiled
/// again is the two crates that have the feature.
pub(crate) fn build_with_traces(workspace: &Workspace, profile: HostProfile) -> Result<()> {
    let mut with_traces = host_build(workspace, profile, &["ampoule"]);
    process::run(with_traces.args(["--features", TRACES]))?;
    copy(
        &workspace.host_program(profile, "ampoule"),
        &workspace.host_program(profile, "ampoule-otel"),
    )?;
    process::run(&mut host_build(workspace, profile, &["ampoule"]))
}

/// Builds `ampoule-sign` alone: `ampoule` contains the bundle that may be missing yet.
pub(crate) fn build_signer(workspace: &Workspace, profile: HostProfile) -> Result<()> {
    process::run(&mut host_build(workspace, profile, &["ampoule-sign"]))
}

/// Names programs and no packages: for named packages cargo would select the features that they alone ask for, and
/// compile Wasmtime anew.
fn host_build(workspace: &Workspace, profile: HostProfile, programs: &[&str]) -> Command {
    let mut build = process::cargo();
    build
        .current_dir(workspace.root())
        .args(["build", profile.argument()]);
    for program in programs {
        build.args(["--bin", program]);
    }
    build
}

/// Returns `ampoule` or `ampoule-sign`, without the settings that this shell may have for it.
pub(crate) fn program(workspace: &Workspace, profile: HostProfile, name: &str) -> Command {
    let mut command = Command::new(workspace.host_program(profile, name));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("AMPOULE_") {
            command.env_remove(variable);
        }
    }
    command
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::copy(from, to)
        .map(|_| ())
        .with_context(|| format!("cannot copy {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options by which cargo selects packages, and with them features.
    const SELECTS: [&str; 4] = ["-p", "--package", "--workspace", "--exclude"];

    /// A newcomer's first command selects the default members, since it names no package.
    #[test]
    fn xtask_and_the_programs_are_built_with_the_features_of_the_first_command() {
        let workspace = Workspace::load().unwrap();
        let build = host_build(&workspace, HostProfile::Release, &["ampoule"]);
        let arguments = build.get_args().map(|word| word.to_str().unwrap());
        let config = workspace.root().join(".cargo/config.toml");
        let config = std::fs::read_to_string(config).unwrap();
        let alias = config.lines().find(|line| line.starts_with("xtask = "));
        let alias = alias.unwrap().split(['"', ' ']);
        assert!(alias.clone().any(|word| word == "--release"), "{config}");
        let selecting: Vec<_> = arguments
            .chain(alias)
            .filter(|word| SELECTS.contains(word))
            .collect();
        assert!(selecting.is_empty(), "{selecting:?}");
    }
}
