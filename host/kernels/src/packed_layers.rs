//! All layers of one model, packed once and shared by its sandboxes.

use ampoule_units::{ByteSize, text};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::packed_layer::PackedLayer;
use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::imports::kernels::LayerSpec;
use ampoule_sandbox::imports::kernels::packed_bytes;
use ampoule_sandbox::{Error, Result};

/// The layers in the order of their numbers.
pub struct PackedLayers {
    layers: Vec<PackedLayer>,
    bytes: ByteSize,
}

impl PackedLayers {
    /// Packs what `init` has asked for out of the verified files.
    ///
    /// # Errors
    ///
    /// `compile.failed` when layers and files do not fit each other. Only a broken answer of the process that
    /// compiled the model can be the cause.
    pub fn pack(specs: &[LayerSpec], files: &AssetFiles) -> Result<Self> {
        let layers = specs
            .par_iter()
            .map(|spec| PackedLayer::pack(spec, files))
            .collect::<std::result::Result<_, _>>()
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
