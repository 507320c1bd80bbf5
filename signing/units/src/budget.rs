//! Budgets: the memory, fuel and time that sandboxes may take.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Fuel};

/// Upper bounds for one phase of a sandbox's life: `init`, or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Linear memories and tables together.
    pub memory: ByteSize,
    /// Fuel: one for each WebAssembly operator, and one for each byte or table element that an operator in bulk moves.
    pub fuel: Fuel,
    /// Wall-clock time.
    pub deadline: Duration,
}

/// Upper bounds for the sandboxes of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxBudgets {
    /// One request, the snapshot's memory included.
    pub request: Budget,
    /// `lifecycle.init`, which runs once.
    pub init: Budget,
    /// Bytes that the guest may hand to the host in one call.
    pub output: ByteSize,
}

impl SandboxBudgets {
    /// Returns the bytes that the guest may hand to the host in one call.
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        usize::try_from(self.output.bytes()).unwrap_or(usize::MAX)
    }
}
