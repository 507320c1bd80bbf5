//! Facts about native code that stay with it, in the cache too.

use std::time::Duration;

use ampoule_units::{ByteSize, Fuel};
use serde::{Deserialize, Serialize};

use crate::imports::guest_log::GuestLog;
use crate::imports::kernels::LayerSpec;

/// The way in which sandboxes of a model begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SandboxStart {
    /// From a snapshot: with their memory as `init` left it when the model was loaded.
    Snapshot {
        /// Bytes of that memory. Sandboxes share the pages that they do not change.
        memory: ByteSize,
    },
    /// Cold: each of them runs `init`.
    Cold {
        /// The reason for which there is no snapshot.
        reason: String,
    },
}

/// Cost of `init` when the snapshot was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InitReport {
    /// Fuel used.
    pub fuel: Fuel,
    /// Peak of linear memory and tables.
    pub peak_memory: ByteSize,
    /// Wall-clock time.
    pub wall: Duration,
    /// The guest's log.
    pub log: GuestLog,
}

/// Facts about native code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompiledFacts {
    /// The way in which sandboxes begin.
    pub start: SandboxStart,
    /// Cost of the `init` before the snapshot; `None` without a snapshot.
    pub init: Option<InitReport>,
    /// Layers that this `init` asked the host to pack; none without a snapshot.
    pub layers: Vec<LayerSpec>,
}

impl SandboxStart {
    /// Tells whether each sandbox runs `init`.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        matches!(self, Self::Cold { .. })
    }
}

impl InitReport {
    /// Puts a report together.
    #[must_use]
    pub fn new(fuel: Fuel, peak_memory: ByteSize, wall: Duration, log: GuestLog) -> Self {
        Self {
            fuel,
            peak_memory,
            wall,
            log,
        }
    }
}
