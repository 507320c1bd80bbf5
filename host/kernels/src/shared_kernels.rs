//! Kernels of one model, which its sandboxes share.

use std::sync::Arc;

use ampoule_sandbox::imports::bindings::ampoule::model::host_kernels as wit;
use ampoule_sandbox::imports::bindings::ampoule::model::types::Error as GuestError;
use ampoule_sandbox::imports::kernels::{Held, KernelPlan, PackedKernels, StopCheck};
use ampoule_units::ByteSize;

use crate::packed_layers::PackedLayers;
use crate::pool::KernelThreads;
use crate::rows::Rows;
use crate::stages::Stages;

/// Packed layers with the threads that compute them.
pub struct SharedKernels {
    layers: PackedLayers,
    threads: Arc<KernelThreads>,
}

impl SharedKernels {
    /// Makes the kernels of one model.
    #[must_use]
    pub fn new(layers: PackedLayers, threads: Arc<KernelThreads>) -> Self {
        Self { layers, threads }
    }
}

impl PackedKernels for SharedKernels {
    fn bytes(&self) -> ByteSize {
        self.layers.bytes()
    }

    fn plan<'a>(
        &'a self,
        steps: &'a [wit::Step],
        x: &'a [f32],
    ) -> Result<Box<dyn KernelPlan + 'a>, GuestError> {
        let stages = Stages::find(&self.layers, steps)?;
        Ok(Box::new(Plan {
            rows: stages.rows(x)?,
            stages,
            threads: &self.threads,
        }))
    }
}

struct Plan<'a> {
    stages: Stages<'a>,
    rows: Rows<'a>,
    threads: &'a KernelThreads,
}

impl KernelPlan for Plan<'_> {
    fn multiplications(&self) -> u64 {
        self.stages.multiplications(self.rows.count())
    }

    fn held(&self) -> Held {
        self.stages.held(self.rows.count(), self.threads.count())
    }

    fn run(self: Box<Self>, check: StopCheck<'_>) -> wasmtime::Result<Vec<f32>> {
        let count = self.threads.count();
        // One change of threads for the whole call, since a single product may take less time than a change.
        self.threads
            .run(|| self.stages.run(self.rows, count, check))
    }
}
