//! Everything that must hold before a change is merged, the cheapest checks first.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::cargo_test::Selection;
use crate::workspace::{GUEST_TARGET, Package, Workspace};
use crate::{audit, guests, process, setup, signed_bundle, test};

type Step = fn(&Workspace) -> Result<()>;

const STEPS: &[(&str, Step)] = &[
    ("format", format),
    ("lock files", lock_files),
    ("rules of the sources", sources),
    ("links and promises", |workspace| {
        test::check_documents(workspace, None)
    }),
    ("set-up", setup::setup),
    ("audit", audit::audit),
    ("clippy of the host", clippy_host),
    ("clippy of traces", clippy_traces),
    ("clippy of what only serves", clippy_serving),
    ("clippy of the guests", clippy_guests),
    ("clippy of the fuzz targets", clippy_fuzz_targets),
    ("clippy of the benchmark", clippy_bench),
    ("documentation", documentation),
    ("tests", |workspace| test::test(workspace, &[])),
];

/// Runs all steps and stops at the first that fails; prints the time that each took.
pub(crate) fn ci(workspace: &Workspace) -> Result<()> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for (name, step) in STEPS {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let result = step(workspace);
        times.push((name, start.elapsed()));
        if result.is_err() {
            print_times(&times);
        }
        result.with_context(|| format!("the step \"{name}\" failed"))?;
    }
    print_times(&times);
    Ok(())
}

fn print_times(times: &[(&str, Duration)]) {
    eprintln!();
    for (name, time) in times {
        eprintln!("{:7.1} s  {name}", time.as_secs_f64());
    }
}

fn format(workspace: &Workspace) -> Result<()> {
    process::run(cargo(workspace).args(["fmt", "--all", "--check"]))?;
    for folder in workspace.outside_packages()? {
        process::run(
            process::cargo()
                .current_dir(folder)
                .args(["fmt", "--check"]),
        )?;
    }
    Ok(())
}

/// Checks that the lock files outside the workspace fit its crates, before anything that takes minutes.
fn lock_files(workspace: &Workspace) -> Result<()> {
    for folder in workspace.outside_packages()? {
        process::output(process::cargo().current_dir(&folder).args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
        ]))
        .with_context(|| format!("run `cargo metadata` in {}", folder.display()))?;
    }
    Ok(())
}

/// Runs the tests that read sources early: they need nothing that takes long to build.
fn sources(workspace: &Workspace) -> Result<()> {
    process::run(cargo(workspace).args(["test", "--quiet", "--package", "ampoule-source-tests"]))
}

fn clippy_host(workspace: &Workspace) -> Result<()> {
    let deny = ["--", "-Dwarnings"];
    process::run(
        cargo(workspace)
            .args(["clippy", "--all-targets"])
            .args(deny),
    )?;
    for folder in workspace.example_packages()? {
        // The workspace's target folder: most of the dependencies are there already.
        let target = workspace.host_target();
        process::run(
            process::cargo()
                .current_dir(folder)
                .args(["clippy", "--all-targets", "--target-dir"])
                .arg(target)
                .args(deny),
        )?;
    }
    Ok(())
}

/// Checks the server with the feature that sends traces, which the tests' program has and others have not.
fn clippy_traces(workspace: &Workspace) -> Result<()> {
    process::run(
        cargo(workspace)
            .args(["clippy", "--bins", "--lib", "--features"])
            .args([signed_bundle::TRACES, "--", "-Dwarnings"]),
    )
}

/// Checks the library without its loading half and without the host's kernels. It has an engine without a compiler, for
/// which Wasmtime is compiled again.
fn clippy_serving(workspace: &Workspace) -> Result<()> {
    process::run(
        cargo(workspace)
            .args(["clippy", "--package", "ampoule", "--no-default-features"])
            .args(["--lib", "--", "-Dwarnings"]),
    )
}

fn clippy_guests(workspace: &Workspace) -> Result<()> {
    let deny = ["--", "-Dwarnings"];
    let mut clippy = for_guests(workspace, "clippy");
    for package in guest_packages(workspace)? {
        clippy.args(["--package", &package.name]);
    }
    process::run(clippy.args(["--lib", "--examples"]).args(deny))?;
    // Their tests run on the host machine.
    process::run(
        cargo(workspace)
            .arg("clippy")
            .args(Selection::guests(workspace)?.arguments())
            .arg("--all-targets")
            .args(deny),
    )
}

/// Checks the fuzz targets: they are no members of the workspace, and use files of its crates that may change.
/// The fuzzer, which needs another compiler, is left out.
fn clippy_fuzz_targets(workspace: &Workspace) -> Result<()> {
    process::run(
        process::cargo()
            .current_dir(workspace.fuzz_package())
            .args(["clippy", "--locked", "--no-default-features", "--bins"])
            .arg("--target-dir")
            .arg(workspace.host_target())
            .args(["--", "-Dwarnings"]),
    )
}

/// Checks the benchmark's driver, and those of its engines that hold code of this repository's and build
/// quickly: the peers themselves would take minutes. `--locked` holds the lock file of all of them in order.
fn clippy_bench(workspace: &Workspace) -> Result<()> {
    let mut clippy = process::cargo();
    clippy
        .current_dir(workspace.bench())
        .args(["clippy", "--locked", "--target-dir"])
        .arg(workspace.host_target());
    for package in [
        "bench-driver",
        "bench-engine",
        "bench-native",
        "bench-ampoule",
    ] {
        clippy.args(["--package", package]);
    }
    process::run(clippy.args(["--all-targets", "--", "-Dwarnings"]))
}

/// Documents programs before libraries: `ampoule` is the name of both, and the library's pages must stay.
fn documentation(workspace: &Workspace) -> Result<()> {
    let members: Vec<_> = workspace
        .packages
        .iter()
        .filter(|package| workspace.is_default_member(package))
        .collect();
    for kind in ["bin", "lib"] {
        let mut doc = cargo(workspace);
        doc.args([
            "doc",
            "--no-deps",
            if kind == "bin" { "--bins" } else { "--lib" },
        ]);
        for package in members.iter().filter(|package| package.builds(kind)) {
            doc.args(["--package", &package.name]);
        }
        process::run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))?;
    }
    let mut doc = for_guests(workspace, "doc");
    for package in guest_packages(workspace)? {
        doc.args(["--package", &package.name]);
    }
    // rustdoc does not see the flags that .cargo/config.toml gives the compiler.
    process::run(
        doc.args(["--no-deps", "--lib"])
            .env("RUSTDOCFLAGS", "-Dwarnings -Ctarget-feature=+simd128"),
    )
}

/// Lists the packages that are built for wasm32-wasip2: the guests and their libraries.
fn guest_packages(workspace: &Workspace) -> Result<Vec<&Package>> {
    let mut packages: Vec<_> = guests::models(workspace)?
        .into_iter()
        .map(|model| model.package)
        .collect();
    for name in [
        "ampoule-guest",
        "ampoule-kernels",
        "ampoule-model-files",
        "ampoule-nn",
        "ampoule-picture",
        "ampoule-text",
        guests::TEST_GUESTS,
    ] {
        packages.push(workspace.package(name)?);
    }
    Ok(packages)
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = process::cargo();
    command.current_dir(workspace.root());
    command
}

fn for_guests(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = cargo(workspace);
    command
        .args([subcommand, "--target", GUEST_TARGET, "--target-dir"])
        .arg(workspace.guest_target());
    command
}
