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
    /// With their memory as `init` left it, once, when the model was loaded.
    Snapshot {
        /// The bytes of that memory. Sandboxes share what they do not change.
        memory: ByteSize,
    },
    /// With `init`, each of them.
    Cold {
        /// Why there is no snapshot.
        reason: String,
    },
}

/// Cost of `init` when the snapshot was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InitReport {
    /// Fuel that was used.
    pub fuel: Fuel,
    /// The most linear memory and tables that were held.
    pub peak_memory: ByteSize,
    /// Wall-clock time.
    pub wall: Duration,
    /// What the guest said.
    pub log: GuestLog,
}

/// Facts about native code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompiledFacts {
    /// The way in which sandboxes begin.
    pub start: SandboxStart,
    /// Of the `init` before the snapshot, where there is one.
    pub init: Option<InitReport>,
    /// Layers that this `init` has asked the host to pack; none without a snapshot.
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
