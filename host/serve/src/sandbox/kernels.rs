//! Packing layers for the models that were granted `host-kernels`; a refusal where this program has no kernels.

use std::sync::Arc;

use ampoule_sandbox::Result;
use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::imports::kernels::{LayerSpec, PackedKernels};
#[cfg(feature = "host-kernels")]
pub(crate) use with_kernels::KernelsMaker;
#[cfg(not(feature = "host-kernels"))]
pub(crate) use without_kernels::KernelsMaker;

#[cfg(feature = "host-kernels")]
mod with_kernels {
    use ampoule_host_kernels::{KernelThreads, PackedLayers, SharedKernels};

    use super::{Arc, AssetFiles, LayerSpec, PackedKernels, Result};

    /// Packs layers, and has the threads that compute them.
    pub(crate) struct KernelsMaker {
        threads: Arc<KernelThreads>,
        packers: usize,
    }

    impl KernelsMaker {
        /// Starts the threads that compute. Layers are packed on `packers` others, a model at a time.
        pub(crate) fn new(threads: usize, packers: usize) -> Result<Self> {
            Ok(Self {
                threads: Arc::new(KernelThreads::new(threads)?),
                packers,
            })
        }

        /// Packs layers out of verified files.
        pub(crate) fn pack(
            &self,
            layers: &[LayerSpec],
            files: &AssetFiles,
        ) -> Result<Option<Arc<dyn PackedKernels>>> {
            let layers = PackedLayers::pack(layers, files, self.packers)?;
            let kernels = SharedKernels::new(layers, Arc::clone(&self.threads));
            Ok(Some(Arc::new(kernels)))
        }
    }
}

#[cfg(not(feature = "host-kernels"))]
mod without_kernels {
    use ampoule_sandbox::Error;

    use super::{Arc, AssetFiles, LayerSpec, PackedKernels, Result};

    /// Stands where kernels would be.
    pub(crate) struct KernelsMaker;

    impl KernelsMaker {
        pub(crate) fn new(_: usize, _: usize) -> Result<Self> {
            Ok(Self)
        }

        pub(crate) fn pack(
            &self,
            layers: &[LayerSpec],
            _: &AssetFiles,
        ) -> Result<Option<Arc<dyn PackedKernels>>> {
            // A model that has packed nothing computes in its sandbox when it is told that nothing is granted.
            if layers.is_empty() {
                Ok(None)
            } else {
                Err(Error::NoKernels)
            }
        }
    }
}
