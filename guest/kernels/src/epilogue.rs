//! Last steps of a product before it is stored: an activation, or the sum with the numbers that were there. They
//! are done while the rows are in the cache, and so cost no pass over memory of their own.

use crate::elementwise::relu;
use crate::gelu::gelu;
use crate::silu::silu;

/// A function that each number of a product goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// None: the product as it is.
    #[default]
    Identity,
    /// The rectified linear unit: the larger of a number and 0.
    Relu,
    /// The Gaussian error linear unit, by erf: see [`gelu`](crate::gelu).
    Gelu,
    /// The sigmoid linear unit: see [`silu`](crate::silu).
    Silu,
}

/// Destination of a product.
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
