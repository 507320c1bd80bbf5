//! Linear layers.

use ampoule_guest::Error;
#[cfg(feature = "host-kernels")]
use ampoule_guest::host_kernels::{self, HostLayer, Step};
use ampoule_kernels::{Activation, Epilogue, MatrixMut, MatrixRef, PackedMatrix, Scratch, linear};

use crate::weights::Weights;

/// A linear layer: `y = x·wᵀ + b`. With the feature `host-kernels` the host keeps and computes the layer, where it
/// grants that.
pub struct Linear {
    place: Place,
}

/// Location of a layer.
enum Place {
    Sandbox(SandboxLayer),
    #[cfg(feature = "host-kernels")]
    Host(HostLayer),
}

/// A layer in the sandbox's own memory.
struct SandboxLayer {
    weights: PackedMatrix,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// Reads the layers `names` as one layer, with all their outputs one after another: rows are then packed once for
    /// all of them. Each has `{name}.weight` `[outputs, inputs]` and `{name}.bias` `[outputs]`.
    ///
    /// # Errors
    ///
    /// Those of [`Weights::tensor`].
    pub fn load(
        source: &Weights<'_>,
        names: &[&str],
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self, Error> {
        Self::load_with(source, names, [outputs, inputs], true)
    }

    /// Reads layers without a bias, `y = x·wᵀ`; see [`load`](Linear::load).
    ///
    /// # Errors
    ///
    /// Those of [`Weights::tensor`].
    pub fn load_without_bias(
        source: &Weights<'_>,
        names: &[&str],
        shape: [usize; 2],
    ) -> Result<Self, Error> {
        Self::load_with(source, names, shape, false)
    }

    fn load_with(
        source: &Weights<'_>,
        names: &[&str],
        [outputs, inputs]: [usize; 2],
        has_bias: bool,
    ) -> Result<Self, Error> {
        #[cfg(feature = "host-kernels")]
        if host_kernels::granted() {
            let layer = source.layer(names, [outputs, inputs], has_bias)?;
            let place = Place::Host(HostLayer::pack(&layer)?);
            return Ok(Linear { place });
        }
        let weights: Vec<String> = names.iter().map(|name| format!("{name}.weight")).collect();
        let bias = |name: &&str| source.tensor(&format!("{name}.bias"), &[outputs]);
        let bias = if has_bias {
            let parts: Vec<Vec<f32>> = names.iter().map(bias).collect::<Result<_, _>>()?;
            Some(parts.concat())
        } else {
            None
        };
        let weights = source.packed(&weights, &[outputs, inputs])?;
        Ok(Linear {
            place: Place::Sandbox(SandboxLayer { weights, bias }),
        })
    }

    /// Applies the layer to the rows `x` `[rows, inputs]`, into `y` `[rows, outputs]`.
    pub fn apply(&self, x: &[f32], y: &mut Vec<f32>, scratch: &mut Scratch) {
        self.activate(x, Activation::Identity, y, scratch);
    }

    /// Applies the layer and then `activation` to the rows `x` `[rows, inputs]`, into `y` `[rows, outputs]`.
    pub fn activate(
        &self,
        x: &[f32],
        activation: Activation,
        y: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) {
        match &self.place {
            Place::Sandbox(layer) => {
                let rows = x.len() / layer.weights.inputs();
                y.resize(rows * layer.weights.outputs(), 0.0);
                layer.product(x, Epilogue::Store(activation), y, scratch);
            }
            #[cfg(feature = "host-kernels")]
            Place::Host(layer) => {
                *y = host_kernels::apply(&[layer.then(by_host(activation))], x);
            }
        }
    }

    /// Applies the layer to the rows `x` `[rows, inputs]` and adds the result to `y` `[rows, outputs]`: a residual
    /// connection.
    pub fn add(&self, x: &[f32], y: &mut [f32], scratch: &mut Scratch) {
        match &self.place {
            Place::Sandbox(layer) => layer.product(x, Epilogue::Add, y, scratch),
            #[cfg(feature = "host-kernels")]
            Place::Host(layer) => {
                let update = host_kernels::apply(&[layer.then(by_host(Activation::Identity))], x);
                ampoule_kernels::add(y, &update);
            }
        }
    }

    /// Returns the layer and `activation` as a step of the host, where the host keeps the layer.
    #[cfg(feature = "host-kernels")]
    pub fn host_step(&self, activation: Activation) -> Option<Step<'_>> {
        match &self.place {
            Place::Sandbox(_) => None,
            Place::Host(layer) => Some(layer.then(by_host(activation))),
        }
    }
}

impl SandboxLayer {
    fn product(&self, x: &[f32], epilogue: Epilogue, y: &mut [f32], scratch: &mut Scratch) {
        let rows = x.len() / self.weights.inputs();
        linear(
            MatrixRef::new(x, rows, self.weights.inputs()),
            &self.weights,
            self.bias.as_deref(),
            epilogue,
            &mut MatrixMut::new(y, rows, self.weights.outputs()),
            scratch,
        );
    }
}

/// Returns the activation in the contract's type.
#[cfg(feature = "host-kernels")]
fn by_host(activation: Activation) -> host_kernels::Activation {
    match activation {
        Activation::Identity => host_kernels::Activation::None,
        Activation::Relu => host_kernels::Activation::Relu,
        Activation::Gelu => host_kernels::Activation::Gelu,
        Activation::Silu => host_kernels::Activation::Silu,
    }
}
