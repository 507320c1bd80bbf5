//! Builds the guest components: the models, and the hostile guests of the tests.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::process;
use crate::remap;
use crate::simd::{self, VectorInstructions};
use crate::toolchain::GuestToolchain;
use crate::workspace::{GUEST_TARGET, Package, Workspace};

/// The package whose examples are the hostile and the odd guests.
pub(crate) const TEST_GUESTS: &str = "ampoule-test-guests";

/// Build profile of components, from the root `Cargo.toml`.
const PROFILE: &str = "guest";

/// A guest that is a package: a member of the workspace under `guest/models` or `tests/kernel-guests`.
#[derive(Debug)]
pub(crate) struct ModelGuest<'a> {
    pub(crate) package: &'a Package,
    /// Path of the built component.
    pub(crate) component: PathBuf,
}

/// Lists the model guests of the workspace.
pub(crate) fn models(workspace: &Workspace) -> Result<Vec<ModelGuest<'_>>> {
    guests_in(workspace, "guest/models")
}

/// Lists the guests of the kernels' suite, each compiled with other features.
fn kernel_suites(workspace: &Workspace) -> Result<Vec<ModelGuest<'_>>> {
    guests_in(workspace, "tests/kernel-guests")
}

fn guests_in<'a>(workspace: &'a Workspace, folder: &str) -> Result<Vec<ModelGuest<'a>>> {
    let folder = workspace.root().join(folder);
    workspace
        .packages
        .iter()
        .filter(|package| package.manifest_path.starts_with(&folder))
        .map(|package| model_of(workspace, package))
        .collect()
}

/// Finds the model guest of package `name`.
pub(crate) fn model<'a>(workspace: &'a Workspace, name: &str) -> Result<ModelGuest<'a>> {
    model_of(workspace, workspace.package(name)?)
}

/// Builds all guests and prints their paths.
pub(crate) fn build_all(workspace: &Workspace) -> Result<()> {
    for guest in models(workspace)?
        .into_iter()
        .chain(kernel_suites(workspace)?)
    {
        build_model(workspace, &guest)?;
    }
    build_test_guests(workspace)
}

/// Builds one model, and checks that it has the vector instructions that it should have and no others.
pub(crate) fn build_model(workspace: &Workspace, guest: &ModelGuest<'_>) -> Result<()> {
    let mut build = cargo(workspace, "rustc")?;
    build.args(["--package", &guest.package.name, "--lib"]);
    // Said here and not in the package alone: a guest of the tests may use the model as a library, with other features. A
    // library that is a component as well would be written to the component's path each time that it is compiled.
    process::run(build.args(["--crate-type", "cdylib"]))?;
    GuestToolchain::active()?.record(workspace)?;

    let component = workspace.relative(&guest.component);
    let wasm =
        std::fs::read(&guest.component).with_context(|| format!("cannot read {component}"))?;
    let found = simd::count(&wasm).with_context(|| component.clone())?;
    check_vector_instructions(&component, found, guest.package.relaxed_simd_reason())?;
    println!(
        "{component}: {} bytes, {} vector instructions, {} of them relaxed",
        wasm.len(),
        found.all,
        found.relaxed
    );
    Ok(())
}

fn check_vector_instructions(
    component: &str,
    found: VectorInstructions,
    relaxed: Option<&str>,
) -> Result<()> {
    ensure!(
        found.all > 0,
        "{component} has no vector instruction: was it built without +simd128?"
    );
    match relaxed {
        None => ensure!(
            found.relaxed == 0,
            "{component} has {} relaxed vector instructions, whose results may differ between processors. If that is \
             meant, write the reason into its Cargo.toml: [package.metadata.ampoule] relaxed-simd = \"...\"",
            found.relaxed
        ),
        Some(reason) => {
            ensure!(
                !reason.trim().is_empty(),
                "{component}: `relaxed-simd` in its Cargo.toml gives no reason"
            );
            ensure!(
                found.relaxed > 0,
                "{component} gives a reason for relaxed SIMD ({reason}) but has no such instruction: take `relaxed-simd` \
                 out of its Cargo.toml"
            );
        }
    }
    Ok(())
}

/// Builds the hostile guests: each `[[example]]` of their package is one component.
fn build_test_guests(workspace: &Workspace) -> Result<()> {
    let components = test_guests(workspace)?;
    process::run(cargo(workspace, "build")?.args(["--package", TEST_GUESTS, "--examples"]))?;
    for component in &components {
        ensure!(
            component.is_file(),
            "a guest was built, but {} is not there: is its crate-type [\"cdylib\"]?",
            workspace.relative(component)
        );
    }
    println!("{} test guests", components.len());
    Ok(())
}

/// Builds one of the test guests.
pub(crate) fn build_test_guest(workspace: &Workspace, name: &str) -> Result<()> {
    process::run(cargo(workspace, "build")?.args(["--package", TEST_GUESTS, "--example", name]))
}

/// Lists the paths of the hostile guests.
fn test_guests(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let package = workspace.package(TEST_GUESTS)?;
    let folder = artifacts(workspace).join("examples");
    Ok(package
        .targets
        .iter()
        .filter(|target| target.kind.iter().any(|kind| kind == "example"))
        .map(|target| folder.join(format!("{}.wasm", target.name.replace('-', "_"))))
        .collect())
}

/// Lists all components: the models and the hostile guests.
#[cfg(test)]
pub(crate) fn built_components(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut components = test_guests(workspace)?;
    let packages = models(workspace)?
        .into_iter()
        .chain(kernel_suites(workspace)?);
    components.extend(packages.map(|guest| guest.component));
    Ok(components)
}

fn model_of<'a>(workspace: &Workspace, package: &'a Package) -> Result<ModelGuest<'a>> {
    let library = package.targets.iter().find(|target| {
        let mut kinds = target.crate_types.iter();
        kinds.any(|kind| ["lib", "rlib", "cdylib"].contains(&kind.as_str()))
    });
    let library = library.with_context(|| {
        format!(
            "{} has no library to build a component of",
            workspace.relative(&package.manifest_path)
        )
    })?;
    let component = artifacts(workspace).join(format!("{}.wasm", library.name.replace('-', "_")));
    Ok(ModelGuest { package, component })
}

fn artifacts(workspace: &Workspace) -> PathBuf {
    workspace.guest_target().join(GUEST_TARGET).join(PROFILE)
}

/// Begins a command of cargo that compiles for guests.
fn cargo(workspace: &Workspace, subcommand: &str) -> Result<std::process::Command> {
    let mut command = process::cargo();
    command
        .current_dir(workspace.root())
        .args([
            subcommand,
            "--target",
            GUEST_TARGET,
            "--profile",
            PROFILE,
            "--target-dir",
        ])
        .arg(workspace.guest_target())
        .arg("--config")
        .arg(remap::cargo_config(workspace)?)
        // These would replace the flags of .cargo/config.toml, +simd128 among them.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: VectorInstructions = VectorInstructions { all: 0, relaxed: 0 };
    const PLAIN: VectorInstructions = VectorInstructions { all: 9, relaxed: 0 };
    const RELAXED: VectorInstructions = VectorInstructions { all: 9, relaxed: 3 };

    #[test]
    fn a_guest_without_vector_code_fails_the_build() {
        assert!(check_vector_instructions("m.wasm", NONE, None).is_err());
        assert!(check_vector_instructions("m.wasm", PLAIN, None).is_ok());
    }

    #[test]
    fn relaxed_instructions_without_a_written_reason_fail_the_build() {
        assert!(check_vector_instructions("m.wasm", RELAXED, None).is_err());
        assert!(check_vector_instructions("m.wasm", RELAXED, Some(" ")).is_err());
        assert!(check_vector_instructions("m.wasm", RELAXED, Some("twice as fast")).is_ok());
    }

    #[test]
    fn a_reason_for_relaxed_instructions_that_are_not_there_fails_the_build() {
        assert!(check_vector_instructions("m.wasm", PLAIN, Some("twice as fast")).is_err());
    }

    #[test]
    fn every_built_model_guest_contains_v128_code() {
        let workspace = Workspace::load().unwrap();
        let models = models(&workspace).unwrap();
        assert!(!models.is_empty());
        for model in models {
            let wasm = std::fs::read(&model.component).unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; run `cargo xtask guests` first",
                    model.component.display()
                )
            });
            assert!(
                simd::count(&wasm).unwrap().all > 0,
                "{}",
                model.component.display()
            );
        }
    }
}
