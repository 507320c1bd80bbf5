//! From an admitted model to code that sandboxes are made of.
//!
//! Everything that can be done once per model is done here: linking, finding the exports, checking
//! their types.

use std::sync::Arc;

use ampoule_signing::text;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store};

use crate::admission::AdmittedModel;
use crate::assets::AssetFiles;
use crate::bindings::exports::ampoule::model as exports;
use crate::code_store::{CodeOrigin, LoadedCode};
use crate::compile::SandboxStart;
use crate::contract::Task;
use crate::engine::EngineProfile;
use crate::error::{Error, Result};
use crate::host_kernels::{KernelThreads, Kernels};
use crate::state::{SandboxState, new_linker};
use crate::stop::TypeMismatch;
use crate::trust::ModelTrust;

/// A compiled and linked model. Sandboxes are instances of it.
pub(crate) struct Artifact {
    pub(crate) model: AdmittedModel,
    pub(crate) trust: ModelTrust,
    /// What `init` reads, where it runs in each sandbox; empty otherwise.
    pub(crate) assets: AssetFiles,
    pub(crate) code: Arc<LoadedCode>,
    pub(crate) origin: CodeOrigin,
    pub(crate) profile: EngineProfile,
    pub(crate) threads: Arc<KernelThreads>,
    pub(crate) instance: InstancePre<SandboxState>,
    pub(crate) exports: Exports,
}

/// Where the component's exports are. A task that the model does not offer is `None`.
pub(crate) struct Exports {
    pub(crate) lifecycle: exports::lifecycle::GuestIndices,
    pub(crate) text_tokenization: Option<exports::text_tokenization::GuestIndices>,
    pub(crate) text_embedding: Option<exports::text_embedding::GuestIndices>,
    pub(crate) image_embedding: Option<exports::image_embedding::GuestIndices>,
    pub(crate) image_classification: Option<exports::image_classification::GuestIndices>,
    pub(crate) text_generation: Option<exports::text_generation::GuestIndices>,
}

impl Exports {
    /// Checks that every function has the type that the contract gives it. No guest code runs.
    ///
    /// Wasmtime can tell only of an instance; so this is done once a model, in its first sandbox.
    pub(crate) fn check_types(
        &self,
        store: &mut Store<SandboxState>,
        instance: &Instance,
    ) -> Result<(), TypeMismatch> {
        macro_rules! check {
            ($task:expr, $indices:expr) => {
                if let Some(indices) = &$indices {
                    indices
                        .load(&mut *store, instance)
                        .map_err(|error| TypeMismatch::new($task.name(), &error))?;
                }
            };
        }
        self.load_lifecycle(store, instance)?;
        check!(Task::TextTokenization, self.text_tokenization);
        check!(Task::TextEmbedding, self.text_embedding);
        check!(Task::ImageEmbedding, self.image_embedding);
        check!(Task::ImageClassification, self.image_classification);
        check!(Task::TextGeneration, self.text_generation);
        Ok(())
    }

    /// The functions of `lifecycle`.
    pub(crate) fn load_lifecycle(
        &self,
        store: &mut Store<SandboxState>,
        instance: &Instance,
    ) -> Result<exports::lifecycle::Guest, TypeMismatch> {
        self.lifecycle
            .load(store, instance)
            .map_err(|error| TypeMismatch::new("lifecycle", &error))
    }
}

/// Links the code of an admitted model.
pub(crate) fn link(
    engine: &Engine,
    code: Arc<LoadedCode>,
    origin: CodeOrigin,
    mut model: AdmittedModel,
    trust: ModelTrust,
    profile: EngineProfile,
    threads: Arc<KernelThreads>,
) -> Result<Arc<Artifact>> {
    let instance = new_linker(engine)
        .map_err(|error| Error::internal(format!("the linker: {error:#}")))?
        .instantiate_pre(&code.component)
        // The names were admitted, so it is a function or a type within an interface that differs.
        .map_err(|error| Error::Import {
            name: text::sentence(&format!("{error:#}")),
        })?;
    let exports = find_exports(&instance, model.tasks())?;
    let assets = match code.facts.start {
        SandboxStart::Cold { .. } => {
            model.read_files()?;
            AssetFiles::of(model.bundle())
        }
        SandboxStart::Snapshot { .. } => {
            model.forget_files();
            AssetFiles::default()
        }
    };
    Ok(Arc::new(Artifact {
        assets,
        model,
        trust,
        instance,
        exports,
        code,
        origin,
        profile,
        threads,
    }))
}

impl Artifact {
    /// What a sandbox of it has of the host's kernels. One that starts cold has none: what its `init` asks
    /// for would have to be packed for it alone.
    pub(crate) fn kernels(&self) -> Kernels {
        let is_cold = matches!(self.code.facts.start, SandboxStart::Cold { .. });
        if is_cold || !self.model.is_granted_host_kernels() {
            return Kernels::NotGranted;
        }
        Kernels::Packed {
            layers: Arc::clone(&self.code.layers),
            threads: Arc::clone(&self.threads),
        }
    }
}

fn find_exports(instance: &InstancePre<SandboxState>, tasks: &[Task]) -> Result<Exports> {
    macro_rules! find {
        ($task:expr, $interface:ident) => {
            if tasks.contains(&$task) {
                let indices = exports::$interface::GuestIndices::new(instance)
                    .map_err(|error| TypeMismatch::new($task.name(), &error))?;
                Some(indices)
            } else {
                None
            }
        };
    }
    Ok(Exports {
        lifecycle: exports::lifecycle::GuestIndices::new(instance)
            .map_err(|error| TypeMismatch::new("lifecycle", &error))?,
        text_tokenization: find!(Task::TextTokenization, text_tokenization),
        text_embedding: find!(Task::TextEmbedding, text_embedding),
        image_embedding: find!(Task::ImageEmbedding, image_embedding),
        image_classification: find!(Task::ImageClassification, image_classification),
        text_generation: find!(Task::TextGeneration, text_generation),
    })
}
