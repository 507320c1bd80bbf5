//! Layers that the host computes, where it grants that (the interface `host-kernels` in `wit/`).
//!
//! A model asks [`granted`] while it loads, and then either packs its layers here or keeps their weights
//! itself. On other targets than `wasm32` nothing is granted.

pub use bindings::ampoule::model::host_kernels::{
    Activation, ElementType, Format, Layer, Part, Tensor,
};

use crate::Error;
use crate::bindings::world;
use bindings::ampoule::model::host_kernels;

world!(pub(crate) mod "host-kernels-user");

/// Tells whether the host computes for this model.
#[must_use]
pub fn granted() -> bool {
    cfg!(target_arch = "wasm32") && host_kernels::granted()
}

/// A linear layer that the host keeps.
#[derive(Debug)]
pub struct HostLayer {
    number: u32,
    inputs: usize,
    outputs: usize,
}

impl HostLayer {
    /// Has the host keep a layer. Works only in [`Model::load`](crate::Model::load).
    ///
    /// # Errors
    ///
    /// `kernels.not-granted`, `kernels.layer`, `asset.*`.
    pub fn pack(layer: &Layer) -> Result<Self, Error> {
        Ok(HostLayer {
            number: host_kernels::pack(layer)?,
            inputs: layer.inputs as usize,
            outputs: layer.parts.iter().map(|part| part.outputs as usize).sum(),
        })
    }

    /// Returns the length of an input row.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns the length of an output row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Returns the step of [`apply`] that is this layer, with `activation` on its outputs.
    #[must_use]
    pub fn then(&self, activation: Activation) -> Step<'_> {
        Step(Kind::Linear(self, activation))
    }
}

/// A step over all rows, made by [`HostLayer::then`] or a function here.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a>(Kind<'a>);

#[derive(Debug, Clone, Copy)]
enum Kind<'a> {
    Linear(&'a HostLayer, Activation),
    Attention(u32),
    Keep,
    AddKept,
    Normalize {
        weight: &'a [f32],
        bias: &'a [f32],
        epsilon: f32,
    },
}

impl<'a> Step<'a> {
    /// Keeps the rows as they are at this step, in place of rows kept before.
    pub const KEEP: Self = Step(Kind::Keep);

    /// Adds the kept rows, which then are no longer kept: a residual connection.
    pub const ADD_KEPT: Self = Step(Kind::AddKept);

    /// Attention of so many heads, of all rows to all rows. It turns rows `[3 · heads · width]` of queries, keys and
    /// values into rows `[heads · width]`.
    #[must_use]
    pub fn attention(heads: usize) -> Self {
        // More than fit are refused as too many.
        Step(Kind::Attention(u32::try_from(heads).unwrap_or(u32::MAX)))
    }

    /// Layer normalisation: `(x − mean) / √(variance + epsilon) · weight + bias` of each row, `weight` and `bias`
    /// as long as it.
    #[must_use]
    pub fn normalize(weight: &'a [f32], bias: &'a [f32], epsilon: f32) -> Self {
        Step(Kind::Normalize {
            weight,
            bias,
            epsilon,
        })
    }

    /// Returns the step in the contract's types.
    fn lowered(self) -> host_kernels::Step {
        match self.0 {
            Kind::Linear(layer, activation) => {
                let layer = layer.number;
                host_kernels::Step::Linear(host_kernels::LinearStep { layer, activation })
            }
            Kind::Attention(heads) => host_kernels::Step::Attention(heads),
            Kind::Keep => host_kernels::Step::Keep,
            Kind::AddKept => host_kernels::Step::AddKept,
            Kind::Normalize {
                weight,
                bias,
                epsilon,
            } => host_kernels::Step::Normalize(host_kernels::Normalization {
                weight: weight.to_vec(),
                bias: bias.to_vec(),
                epsilon,
            }),
        }
    }
}

/// Takes the rows `x` `[rows, inputs]` through one step after another, and returns the last one's `[rows, outputs]`.
///
/// # Panics
///
/// When there is no step, `x` is not a whole number of rows, the first step but for [`Step::KEEP`] is neither a
/// layer nor a normalisation, one of these is of other rows than come to it, heads cannot share their rows
/// evenly, or nothing is kept of the length that is added.
#[must_use]
pub fn apply(steps: &[Step<'_>], x: &[f32]) -> Vec<f32> {
    let steps: Vec<_> = steps.iter().map(|step| step.lowered()).collect();
    match host_kernels::apply(&steps, x) {
        Ok(y) => y,
        Err(error) => refused(&error),
    }
}

#[expect(
    clippy::panic,
    reason = "what the host refuses of layers that it has packed is a bug of the caller, as an index out of range is"
)]
fn refused(error: &Error) -> ! {
    panic!("{}: {}", error.code, error.message);
}
