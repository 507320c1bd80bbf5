//! Native code, linked: sandboxes are instances of it.
//!
//! Everything that can be done once for all models of the same code is done here: giving it to the engine, linking,
//! finding the exports, packing layers.

use std::sync::Arc;

use ampoule_sandbox::code::facts::CompiledFacts;
use ampoule_sandbox::code::native_code::CodeMapping;
use ampoule_sandbox::guest::link;
use ampoule_sandbox::guest::state::SandboxState;
use ampoule_sandbox::guest::stop::TypeMismatch;
use ampoule_sandbox::imports::bindings::exports::ampoule::model as exports;
use ampoule_sandbox::imports::kernels::{Kernels, PackedKernels};
use ampoule_sandbox::{Code, LoadedModel, Result, Task, for_each_task};
use ampoule_units::ByteSize;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store};

use crate::sandbox::kernels::KernelsMaker;

/// Code that the engine has. Models that are loaded twice share it.
pub(crate) struct LinkedCode {
    /// Kept, so that the loading half shares it too.
    code: Arc<Code>,
    pub(crate) instance: InstancePre<SandboxState>,
    pub(crate) exports: Exports,
    /// Layers that the host has packed for it, where it has asked for any and was granted that.
    kernels: Option<Arc<dyn PackedKernels>>,
}

macro_rules! define_exports {
    ($($variant:ident $name:literal $module:ident,)*) => {
        /// The component's exports. A task that the model does not offer is `None`.
        pub(crate) struct Exports {
            pub(crate) lifecycle: exports::lifecycle::GuestIndices,
            $(pub(crate) $module: Option<exports::$module::GuestIndices>,)*
        }

        impl Exports {
            fn find(instance: &InstancePre<SandboxState>, tasks: &[Task]) -> Result<Self> {
                Ok(Self {
                    lifecycle: exports::lifecycle::GuestIndices::new(instance)
                        .map_err(|error| TypeMismatch::new("lifecycle", &error))?,
                    $($module: if tasks.contains(&Task::$variant) {
                        let indices = exports::$module::GuestIndices::new(instance)
                            .map_err(|error| TypeMismatch::new($name, &error))?;
                        Some(indices)
                    } else {
                        None
                    },)*
                })
            }

            /// Checks that every function has the type that the contract gives it. No guest code runs.
            ///
            /// Wasmtime can tell only of an instance, so this is done once a model, in its first sandbox.
            pub(crate) fn check_types(
                &self,
                store: &mut Store<SandboxState>,
                instance: &Instance,
            ) -> Result<(), TypeMismatch> {
                self.load_lifecycle(store, instance)?;
                $(if let Some(indices) = &self.$module {
                    indices
                        .load(&mut *store, instance)
                        .map_err(|error| TypeMismatch::new($name, &error))?;
                })*
                Ok(())
            }
        }
    };
}

for_each_task!(define_exports);

impl Exports {
    /// Returns the functions of `lifecycle`.
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

impl LinkedCode {
    /// Links the code of a loaded model, and packs its layers.
    pub(crate) fn link(
        engine: &Engine,
        loaded: &LoadedModel,
        mapping: CodeMapping,
        kernels: &KernelsMaker,
    ) -> Result<Self> {
        // One that starts cold has none: what its `init` asks for would have to be packed for each sandbox.
        let is_warm = !loaded.code.facts.start.is_cold();
        let kernels = if is_warm && loaded.is_granted_host_kernels {
            kernels.pack(&loaded.code.facts.layers, &loaded.files)?
        } else {
            None
        };
        let component = loaded.code.native.load(engine, mapping)?;
        let instance = link(engine, &component)?;
        Ok(Self {
            exports: Exports::find(&instance, &loaded.tasks)?,
            instance,
            kernels,
            code: Arc::clone(&loaded.code),
        })
    }

    pub(crate) fn facts(&self) -> &CompiledFacts {
        &self.code.facts
    }

    /// Returns the part of the host's kernels that each sandbox has.
    pub(crate) fn kernels(&self) -> Kernels {
        match &self.kernels {
            Some(kernels) => Kernels::Packed(Arc::clone(kernels)),
            None => Kernels::NotGranted,
        }
    }

    /// Returns the memory that packed layers take.
    pub(crate) fn packed_bytes(&self) -> ByteSize {
        let kernels = self.kernels.as_ref();
        kernels.map_or(ByteSize::default(), |kernels| kernels.bytes())
    }
}
