//! The machine that is measured on.

use std::process::Command;

use serde::Serialize;

use crate::process;
use crate::processor::Processor;

/// Facts of the machine that a reader of the figures needs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: Processor,
    pub(crate) cores: usize,
    /// Size of the last level, in bytes.
    pub(crate) cache_bytes: usize,
    pub(crate) system: String,
    pub(crate) rust: String,
    pub(crate) pinning: String,
}

/// Size that is taken where the system names none: as large as any cache, so that the memory that is read is
/// in none.
const LARGE_CACHE: usize = 64 << 20;

/// Asks the system.
pub(crate) fn facts() -> Machine {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    Machine {
        processor: Processor::of(&cpuinfo),
        cores: cores(),
        cache_bytes: last_level_cache(),
        system: first_line(Command::new("uname").args(["-sr"])),
        rust: first_line(Command::new("rustc").arg("--version")),
        pinning: match pinned("true") {
            Some(_) => format!(
                "with one thread, an engine's process is bound to core {} (taskset); with two it has all cores",
                cores() - 1
            ),
            None => "engines are not bound to cores: there is no taskset".to_owned(),
        },
    }
}

/// Counts the cores.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Makes a command that runs a program on the last core alone; `None` where the machine has no `taskset`.
/// Systems interrupt the first core most.
pub(crate) fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Option<Command> {
    process::is_there("taskset").then(|| {
        let mut command = Command::new("taskset");
        command
            .args(["--cpu-list", &(cores() - 1).to_string()])
            .arg(program);
        command
    })
}

/// Returns the bytes of the last level of cache.
pub(crate) fn last_level_cache() -> usize {
    let size = |index: usize| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        bytes(std::fs::read_to_string(path).ok()?.trim())
    };
    (0..8).filter_map(size).max().unwrap_or(LARGE_CACHE)
}

/// Reads a size, such as `32768K`.
fn bytes(size: &str) -> Option<usize> {
    let (number, unit) = match size.strip_suffix('K') {
        Some(number) => (number, 1 << 10),
        None => (size.strip_suffix('M')?, 1 << 20),
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

fn first_line(command: &mut Command) -> String {
    let output = process::output(command).unwrap_or_default();
    output.lines().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_caches_are_read_as_linux_writes_them() {
        assert_eq!(bytes("32768K"), Some(32 << 20));
        assert_eq!(bytes("32M"), Some(32 << 20));
        assert_eq!(bytes("32"), None);
        assert!(last_level_cache() >= 1 << 18);
    }
}
