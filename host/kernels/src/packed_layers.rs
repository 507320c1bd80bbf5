//! All layers of one model, packed once and shared by its sandboxes.

use ampoule_signing::{ByteSize, text};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::layer_spec::LayerSpec;
use super::pack_list::packed_bytes;
use super::packed_layer::PackedLayer;
use crate::assets::AssetFiles;
use crate::error::{Error, Result};

/// The layers in the order of their numbers.
pub(crate) struct PackedLayers {
    layers: Vec<PackedLayer>,
    bytes: ByteSize,
}

impl PackedLayers {
    /// Packs what `init` has asked for out of the verified files. `compile.failed` when they do not fit
    /// each other, which only a broken answer of what compiled the model can be the reason of.
    pub(crate) fn pack(specs: &[LayerSpec], files: &AssetFiles) -> Result<Self> {
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
    pub(crate) fn bytes(&self) -> ByteSize {
        self.bytes
    }
}
