//! What becomes of a product before it is stored: the bias, an activation, or the sum with what was
//! there. Done while the rows are at hand, it costs no pass over memory of its own.

use crate::elementwise::relu;
use crate::gelu::gelu;
use crate::silu::silu;

/// A function that each number of a product goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// None: the product as it is.
    #[default]
    Identity,
    /// What is above 0, and 0 for the rest.
    Relu,
    /// The Gaussian error linear unit, by erf: see [`gelu`](crate::gelu).
    Gelu,
    /// The sigmoid linear unit: see [`silu`](crate::silu).
    Silu,
}

/// Where a product goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    /// `y = activation(product + bias)`.
    Store(Activation),
    /// `y += product + bias`: a residual connection.
    Add,
}

impl Epilogue {
    /// `y = product + bias`.
    pub const STORE: Epilogue = Epilogue::Store(Activation::Identity);
}

impl Activation {
    /// Replaces each number.
    pub(crate) fn apply(self, values: &mut [f32]) {
        match self {
            Activation::Identity => {}
            Activation::Relu => relu(values),
            Activation::Gelu => gelu(values),
            Activation::Silu => silu(values),
        }
    }
}
