//! The number of cores that the process may use.

use std::sync::LazyLock;
use std::thread::available_parallelism;

/// Read once: the standard library reads the files of the control group each time, which takes 50 µs.
static CORES: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));

/// Returns the number of cores that the process might use when it was asked first.
pub(crate) fn cores() -> usize {
    *CORES
}
