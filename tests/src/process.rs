//! The built commands, and what this process holds.

use std::path::PathBuf;
use std::process::Command;

use crate::guests::workspace_file;

/// The `ampoule` command, with nothing inherited that would change what it does.
#[must_use]
pub fn ampoule() -> Command {
    command("ampoule")
}

/// The `ampoule-sign` command, likewise.
#[must_use]
pub fn ampoule_sign() -> Command {
    command("ampoule-sign")
}

fn command(name: &str) -> Command {
    let path = binary(name);
    assert!(
        path.is_file(),
        "{name} is not built; run `cargo build` or `cargo xtask test`"
    );
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars() {
        if variable.starts_with("AMPOULE_") {
            command.env_remove(variable);
        }
    }
    command.env("AMPOULE_CACHE", test_cache());
    command
}

/// The cache of compiled models that the tests share: one for each build of the command, so that none
/// meets what another build has compiled.
fn test_cache() -> PathBuf {
    let built = std::fs::metadata(binary("ampoule")).and_then(|command| command.modified());
    let built = built
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .unwrap_or_default();
    workspace_file("target/test-cache").join(built.as_nanos().to_string())
}

/// Cargo puts binaries beside the `deps` folder that holds the test.
pub(crate) fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    target.join(name)
}

/// The resident memory of this process, in bytes.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn resident_bytes() -> u64 {
    bytes_in("/proc/self/smaps_rollup", "Rss:")
}

/// The resident memory of this process, in bytes, with each page counted once however often it is mapped here,
/// and shared out where other processes have it too.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn proportional_bytes() -> u64 {
    bytes_in("/proc/self/smaps_rollup", "Pss:")
}

/// The memory of this process that it has written to and shares with nobody, in bytes.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn private_dirty_bytes() -> u64 {
    bytes_in("/proc/self/smaps_rollup", "Private_Dirty:")
}

/// The most resident memory that this process has had since [`reset_peak_resident_bytes`], in bytes.
///
/// # Panics
///
/// If the system does not tell.
#[must_use]
pub fn peak_resident_bytes() -> u64 {
    bytes_in("/proc/self/status", "VmHWM:")
}

/// How often a page of this process was missing and could be had without reading a disk.
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

/// Begins to look for the peak of the resident memory anew.
///
/// # Panics
///
/// If the system refuses.
pub fn reset_peak_resident_bytes() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// A figure in KiB, by its name, from what the system says of this process.
fn bytes_in(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}
