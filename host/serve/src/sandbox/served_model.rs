//! A loaded model with its code linked: everything that a sandbox of it is made of.

use std::sync::Arc;

use ampoule_sandbox::code::engine::EngineProfile;
use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::{CodeOrigin, LoadedModel, ModelFacts, SandboxBudgets, Task, TrustLease};

use tokio::sync::Mutex;

use crate::sandbox::linked_code::LinkedCode;

/// A model that is served.
pub(crate) struct ServedModel {
    pub(crate) facts: ModelFacts,
    pub(crate) tasks: Vec<Task>,
    pub(crate) budgets: SandboxBudgets,
    pub(crate) profile: EngineProfile,
    pub(crate) code: Arc<LinkedCode>,
    pub(crate) origin: CodeOrigin,
    /// Digest of everything that the code was made of.
    pub(crate) code_identity: [u8; 32],
    /// Files that `init` reads, where it runs in each sandbox; none otherwise.
    pub(crate) files: AssetFiles,
    pub(crate) lease: TrustLease,
    /// The turn to have the lease renewed.
    pub(crate) renewing: Mutex<()>,
    /// Counts the model while it is served.
    _counted: Arc<()>,
}

impl ServedModel {
    /// Takes what serving needs of a loaded model. The bytes of packed layers go with the rest.
    pub(crate) fn new(loaded: LoadedModel, code: Arc<LinkedCode>, counted: Arc<()>) -> Self {
        Self {
            files: if code.facts().start.is_cold() {
                loaded.files
            } else {
                AssetFiles::default()
            },
            facts: loaded.facts,
            tasks: loaded.tasks,
            budgets: loaded.budgets,
            profile: loaded.profile,
            code,
            origin: loaded.origin,
            code_identity: loaded.code.identity,
            lease: loaded.lease,
            renewing: Mutex::default(),
            _counted: counted,
        }
    }
}
