//! Layers that `init` asks the host to pack. The list is kept with the compiled code; the layers are packed from the
//! verified files each time that the code is loaded.

use ampoule_units::ByteSize;

use super::layer_spec::LayerSpec;
use crate::imports::assets::AssetFiles;
use crate::imports::bindings::ampoule::model::host_kernels as wit;
use crate::imports::bindings::ampoule::model::types::Error as GuestError;

/// The most memory of all descriptions together: some thousands of layers. They stay well within the bounds of the
/// message and of the cache's header that hold them.
const MAX_DESCRIBED_BYTES: usize = 1 << 20;

/// The layers of one `init`, in the order of their numbers.
#[derive(Debug, Default)]
pub struct PackList {
    layers: Vec<LayerSpec>,
    described: usize,
}

impl PackList {
    /// Checks a layer, and that there is room for its description. Errors: `kernels.layer`, `asset.*`.
    pub fn check(&self, layer: wit::Layer, files: &AssetFiles) -> Result<LayerSpec, GuestError> {
        let spec = LayerSpec::new(layer, files)?;
        if self.described.saturating_add(spec.described_bytes()) > MAX_DESCRIBED_BYTES {
            return Err(GuestError {
                code: "kernels.layer".to_owned(),
                message: format!(
                    "{} layers are described in as much memory as there is for that",
                    self.layers.len()
                ),
            });
        }
        Ok(spec)
    }

    /// Adds a checked layer, and returns its number.
    pub fn add(&mut self, spec: LayerSpec) -> u32 {
        // The bound on descriptions is reached long before that of numbers.
        let number = u32::try_from(self.layers.len()).unwrap_or(u32::MAX);
        self.described = self.described.saturating_add(spec.described_bytes());
        self.layers.push(spec);
        number
    }

    /// Returns the layers in the order of their numbers.
    #[must_use]
    pub fn into_layers(self) -> Vec<LayerSpec> {
        self.layers
    }
}

/// Returns an upper bound of the packed layers' memory on the host.
pub fn packed_bytes(layers: &[LayerSpec]) -> ByteSize {
    let bytes = layers.iter().map(|layer| layer.packed_bytes().bytes());
    ByteSize::from_bytes(bytes.fold(0, u64::saturating_add))
}
