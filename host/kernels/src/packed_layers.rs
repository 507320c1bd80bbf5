//! All layers of one model, packed once and shared by its sandboxes.

use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::imports::kernels::LayerSpec;
use ampoule_sandbox::imports::kernels::packed_bytes;
use ampoule_sandbox::{Error, Result};
use ampoule_units::{ByteSize, text};
use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::packed_layer::PackedLayer;

/// The layers in the order of their numbers.
pub struct PackedLayers {
    layers: Vec<PackedLayer>,
    bytes: ByteSize,
}

impl PackedLayers {
    /// Packs what `init` has asked for out of the verified files, on so many threads, which end with the work. The
    /// process's own pool would count the machine's cores, which opens files, and keep its threads.
    ///
    /// # Errors
    ///
    /// `io.thread`; `compile.failed` when layers and files do not fit each other. Only a broken answer of the process that
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
                reason: text::sentence(&format!("a layer to pack: {}", error.message)),
            })?;
        Ok(Self {
            layers,
            bytes: packed_bytes(specs),
        })
    }

    pub(crate) fn get(&self, number: u32) -> Option<&PackedLayer> {
        self.layers.get(number as usize)
    }

    /// The memory that they take, as it is counted against the model's limits.
    #[must_use]
    pub fn bytes(&self) -> ByteSize {
        self.bytes
    }
}
