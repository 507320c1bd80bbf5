//! The built commands, and the memory of this process.

use std::path::PathBuf;
use std::process::Command;

use crate::guests::workspace_file;

/// Makes the `ampoule` command, without inherited settings.
#[must_use]
pub fn ampoule() -> Command {
    command("ampoule")
}

/// Makes the `ampoule-sign` command, without inherited settings.
#[must_use]
pub fn ampoule_sign() -> Command {
    command("ampoule-sign")
}

/// The program of a process that is given one model and serves it; see `tests/src/bin/serve_received.rs`.
#[must_use]
pub fn serve_received() -> PathBuf {
    binary("serve_received")
}

/// Makes the `ampoule` command of a build with the feature `otel`, without inherited settings. `cargo xtask test` puts it
/// beside the others.
///
/// # Panics
///
/// If it is not built.
#[must_use]
pub fn ampoule_with_traces() -> Command {
    command("ampoule-otel")
}

/// Returns a program that `cargo xtask setup` takes out of a package of Debian, or its name where `PATH` has it.
#[must_use]
pub fn installed_program(name: &str) -> PathBuf {
    let installed = workspace_file("target/clients").join(name);
    if installed.exists() {
        installed
    } else {
        name.into()
    }
}

fn command(name: &str) -> Command {
    let path = binary(name);
    assert!(
        path.is_file(),
        "{name} is not built; run `cargo build` or `cargo xtask test`"
    );
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars() {
        if variable.starts_with("AMPOULE_") || variable.starts_with("OTEL_") {
            command.env_remove(variable);
        }
    }
    command.env("AMPOULE_CACHE", test_cache());
    command
}

/// Returns the cache of compiled models that the tests share: one for each build of the command, so that no test
/// meets the code of another build.
fn test_cache() -> PathBuf {
    let built = std::fs::metadata(binary("ampoule")).and_then(|command| command.modified());
    let built = built
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .unwrap_or_default();
    let caches = workspace_file("target/test-cache");
    // The command makes the directory that it is given, and none above it.
    std::fs::create_dir_all(&caches).unwrap();
    caches.join(built.as_nanos().to_string())
}

/// Finds a built program: cargo puts programs beside the `deps` folder that holds the test.
pub(crate) fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    target.join(name)
}

/// Returns the resident memory of this process, in bytes.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn resident_bytes() -> u64 {
    bytes_in("/proc/self/smaps_rollup", "Rss:")
}

/// Returns the proportional memory of this process, in bytes: each page counts once however often it is mapped
/// here, and is shared out where other processes have it too.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn proportional_bytes() -> u64 {
    bytes_in("/proc/self/smaps_rollup", "Pss:")
}

/// Returns the memory of this process that it has written to and shares with nobody, in bytes.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn private_dirty_bytes() -> u64 {
    bytes_in("/proc/self/smaps_rollup", "Private_Dirty:")
}

/// Returns the most resident memory that this process has had since [`reset_peak_resident_bytes`], in bytes.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn peak_resident_bytes() -> u64 {
    bytes_in("/proc/self/status", "VmHWM:")
}

/// Counts the page faults of this process that needed no disk.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn minor_faults() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The second field, the command's name, may hold spaces.
    let (_, fields) = text.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(7).unwrap().parse().unwrap()
}

/// Resets the peak of the resident memory.
///
/// # Panics
///
/// If the system refuses.
pub fn reset_peak_resident_bytes() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Reads a figure in KiB, by its name, from one of the system's files.
pub(crate) fn bytes_in(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}
