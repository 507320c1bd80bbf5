//! The report, as `target/bench/report.json` has it.

use serde::Serialize;

use super::figures::Row;
use super::machine::Machine;
use super::measure::Measured;
use super::targets::{self, Target};
use super::together::Together;

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// How often each engine had its turn at each workload.
    pub(crate) rounds: u32,
    pub(crate) rows: Vec<Row>,
    /// Two at once beside one.
    pub(crate) together: Option<Together>,
    /// Memory of its own of a sandbox of the main workload, beyond the snapshot.
    pub(crate) private_bytes: Option<u64>,
    /// What it must show.
    pub(crate) targets: Vec<Target>,
    /// Engines that failed, or computed something else: they have no rows.
    pub(crate) errors: Vec<String>,
}

impl Report {
    pub(crate) fn new(measured: Measured, machine: Machine, rounds: u32) -> Self {
        Self {
            machine,
            rounds,
            targets: targets::targets(&measured),
            rows: measured.rows,
            together: measured.together,
            private_bytes: measured.private_bytes,
            errors: measured.errors,
        }
    }
}
