//! Packed layers of one model, which its sandboxes share.

use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::imports::kernels::LayerSpec;
use ampoule_sandbox::imports::kernels::packed_bytes;
use ampoule_sandbox::{Error, Result};
use ampoule_units::{ByteSize, text};
use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::packed_layer::PackedLayer;

/// Packed layers, in the order of their numbers.
pub struct PackedLayers {
    layers: Vec<PackedLayer>,
    bytes: ByteSize,
}

impl PackedLayers {
    /// Packs the layers that `init` has listed out of the verified files, on `threads` threads, which end with the
    /// work. Rayon's global pool would count the machine's cores, which opens files, and keep its threads.
    ///
    /// # Errors
    ///
    /// `io.thread`; `compile.failed` when a layer does not match its files. Only a corrupt list from the process that
    /// compiled the model can be the cause.
    pub fn pack(specs: &[LayerSpec], files: &AssetFiles, threads: usize) -> Result<Self> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.clamp(1, specs.len().max(1)))
            .thread_name(|index| format!("ampoule-pack-{index}"))
            .build()
            .map_err(|error| Error::Thread {
                reason: error.to_string(),
            })?;
        let pack = || specs.par_iter().map(|spec| PackedLayer::pack(spec, files));
        let layers = pool
            .install(|| pack().collect::<std::result::Result<_, _>>())
            .map_err(|error| Error::Compile {
                reason: text::sentence(&format!("a layer cannot be packed: {}", error.message)),
            })?;
        Ok(Self {
            layers,
            bytes: packed_bytes(specs),
        })
    }

    pub(crate) fn get(&self, number: u32) -> Option<&PackedLayer> {
        self.layers.get(number as usize)
    }

    /// Returns the memory that counts against the model's limits.
    #[must_use]
    pub fn bytes(&self) -> ByteSize {
        self.bytes
    }
}
