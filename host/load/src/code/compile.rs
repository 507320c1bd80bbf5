//! Compiling: from an admitted component to native code, with its memory as `init` left it.

use ampoule_sandbox::Result;
use ampoule_sandbox::code::facts::{CompiledFacts, SandboxStart};
use ampoule_sandbox::code::native_code::CompiledCode;
use ampoule_sandbox::code::ticker::Ticker;
use tokio_util::sync::CancellationToken;

use crate::code::build_engines::BuildEngines;
use crate::code::snapshot::{self, Init, Snapshot};

/// Native code and its facts.
pub(crate) struct CompiledModel {
    pub(crate) facts: CompiledFacts,
    pub(crate) code: CompiledCode,
}

/// Runs `init`, takes the snapshot, and compiles it; without a snapshot, compiles the component as it is. This is the
/// expensive step of loading a model: seconds for a large component.
///
/// # Errors
///
/// `compile.failed`, and those of `init`.
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
            code: CompiledCode::of(&engines.code, &component)?,
            facts: CompiledFacts {
                start: SandboxStart::Snapshot { memory },
                init: Some(init),
                layers,
            },
        }),
        Snapshot::Impossible { reason } => Ok(CompiledModel {
            code: CompiledCode::of(&engines.code, component)?,
            facts: CompiledFacts {
                start: SandboxStart::Cold { reason },
                init: None,
                layers: Vec::new(),
            },
        }),
    }
}
