//! From an admitted component to native code, with its memory as `init` left it.

use std::time::Duration;

use ampoule_signing::{ByteSize, Fuel, text};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

use crate::engine::BuildEngines;
use crate::error::{Error, Result};
use crate::guest_log::GuestLog;
use crate::host_kernels::LayerSpec;
use crate::snapshot::{self, Init, Snapshot};
use crate::system_refusal::out_of_memory;
use crate::ticker::Ticker;

/// How sandboxes of a model begin.
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

/// What `init` cost when the snapshot was taken.
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

/// Native code, and what is known of it.
pub(crate) struct CompiledModel {
    pub(crate) facts: CompiledFacts,
    /// What Wasmtime deserialises. Only what this host, or a process that it started, has compiled may be
    /// given to it.
    pub(crate) code: Vec<u8>,
}

/// What there is to know of native code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CompiledFacts {
    pub(crate) start: SandboxStart,
    /// Of the `init` before the snapshot, where there is one.
    pub(crate) init: Option<InitReport>,
    /// What that `init` has asked the host to pack; nothing without a snapshot.
    pub(crate) layers: Vec<LayerSpec>,
}

/// Runs `init`, takes the snapshot, and compiles what came of it, or the component as it is. The
/// expensive step of loading a model: seconds for a large component.
///
/// The errors are `compile.failed` and those of `init`.
pub(crate) fn compile(
    engines: &BuildEngines,
    component: &[u8],
    init: Init,
    cancelled: CancellationToken,
) -> Result<CompiledModel> {
    let _ticker = Ticker::start(&engines.init)?;
    match snapshot::take(&engines.init, engines.profile, component, init, cancelled)? {
        Snapshot::Taken {
            component,
            memory,
            init,
            layers,
        } => Ok(CompiledModel {
            code: precompile(&engines.code, &component)?,
            facts: CompiledFacts {
                start: SandboxStart::Snapshot { memory },
                init: Some(init),
                layers,
            },
        }),
        Snapshot::Impossible { reason } => Ok(CompiledModel {
            code: precompile(&engines.code, component)?,
            facts: CompiledFacts {
                start: SandboxStart::Cold { reason },
                init: None,
                layers: Vec::new(),
            },
        }),
    }
}

fn precompile(engine: &Engine, component: &[u8]) -> Result<Vec<u8>> {
    engine.precompile_component(component).map_err(|error| {
        out_of_memory(&error).unwrap_or_else(|| Error::Compile {
            reason: text::sentence(&format!("{error:#}")),
        })
    })
}
