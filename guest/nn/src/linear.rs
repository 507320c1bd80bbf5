//! Linear layers.

use ampoule_guest::Error;
#[cfg(feature = "host-kernels")]
use ampoule_guest::host_kernels::{self, Activation, HostLayer};
use ampoule_kernels::{MatrixMut, MatrixRef, PackedMatrix, Scratch, linear};

use crate::weights::Weights;

/// A linear layer: `y = x·wᵀ + b`. With the feature `host-kernels` the host keeps and computes it where it
/// grants that.
pub struct Linear {
    place: Place,
}

/// Where a layer is.
enum Place {
    Sandbox {
        weights: PackedMatrix,
        bias: Vec<f32>,
    },
    #[cfg(feature = "host-kernels")]
    Host(HostLayer),
}

impl Linear {
    /// The layers `names` side by side: their outputs one after another, so that the rows are packed
    /// once for all of them. Each has `{name}.weight` `[outputs, inputs]` and `{name}.bias`
    /// `[outputs]`.
    ///
    /// # Errors
    ///
    /// Those of [`Weights::tensor`].
    pub fn load(
        source: &Weights<'_>,
        names: &[&str],
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self, Error> {
        #[cfg(feature = "host-kernels")]
        if host_kernels::granted() {
            let layer = source.layer(names, [outputs, inputs])?;
            let place = Place::Host(HostLayer::pack(&layer)?);
            return Ok(Linear { place });
        }
        let weights: Vec<String> = names.iter().map(|name| format!("{name}.weight")).collect();
        let mut bias = Vec::new();
        for name in names {
            bias.extend(source.tensor(&format!("{name}.bias"), &[outputs])?);
        }
        let weights = source.packed(&weights, &[outputs, inputs])?;
        Ok(Linear {
            place: Place::Sandbox { weights, bias },
        })
    }

    /// Applies it to the rows `x` `[rows, inputs]`, into `y` `[rows, outputs]`.
    pub fn apply(&self, x: &[f32], y: &mut Vec<f32>, scratch: &mut Scratch) {
        match &self.place {
            Place::Sandbox { weights, bias } => {
                let rows = x.len() / weights.inputs();
                y.resize(rows * weights.outputs(), 0.0);
                linear(
                    MatrixRef::new(x, rows, weights.inputs()),
                    weights,
                    Some(bias),
                    &mut MatrixMut::new(y, rows, weights.outputs()),
                    scratch,
                );
            }
            #[cfg(feature = "host-kernels")]
            Place::Host(layer) => *y = host_kernels::linear(&[layer.then(Activation::None)], x),
        }
    }

    /// The layer, where the host keeps it.
    #[cfg(feature = "host-kernels")]
    pub(crate) fn on_host(&self) -> Option<&HostLayer> {
        match &self.place {
            Place::Sandbox { .. } => None,
            Place::Host(layer) => Some(layer),
        }
    }
}
