//! The report, as `target/bench/report.json` has it.

use serde::Serialize;

use crate::figures::Row;
use crate::machine::Machine;
use crate::measure::Measured;
use crate::targets::{self, Target};
use crate::together::Together;

/// The report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Turns of each engine at each workload.
    pub(crate) rounds: u32,
    pub(crate) rows: Vec<Row>,
    /// Gain of two sandboxes at once over one.
    pub(crate) together: Option<Together>,
    /// Memory of its own of a sandbox of the main workload, beyond the snapshot.
    pub(crate) private_bytes: Option<u64>,
    /// Bounds on the figures.
    pub(crate) targets: Vec<Target>,
    /// Engines that failed, or computed another result: they have no rows.
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
