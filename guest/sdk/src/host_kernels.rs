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

/// Whether the host computes for this model.
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

    /// The length of a row that goes in.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The length of a row that comes out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// This layer, and what is done to its outputs, as a step of [`apply`].
    #[must_use]
    pub fn then(&self, activation: Activation) -> Step<'_> {
        Step(Kind::Linear(self, activation))
    }
}

/// One thing that is done to all rows: made by [`HostLayer::then`] and the functions here.
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
    /// The rows are kept as they are here, in place of what was kept before.
    pub const KEEP: Self = Step(Kind::Keep);

    /// What was kept is added, and is no longer kept: a residual connection.
    pub const ADD_KEPT: Self = Step(Kind::AddKept);

    /// Attention of so many heads, of all rows to all rows: of rows `[3 · heads · width]`, queries, keys and
    /// values, it makes rows `[heads · width]`.
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

    /// As it crosses.
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

/// The rows `x` `[rows, inputs]` through one step after another: `[rows, outputs]` of the last.
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
