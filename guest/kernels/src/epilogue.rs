//! What becomes of a product before it is stored: the bias, an activation, or the sum with what was
//! there. Done while the tile is at hand, it costs no pass over memory of its own.

use crate::gelu::gelu_of;
use crate::silu::silu_of;
use crate::simd::{Native, Vector};
use crate::tile::TileRow;

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
    /// Replaces each number of these rows of a tile.
    #[inline(always)]
    pub(crate) fn apply<const N: usize>(self, rows: [&mut TileRow; N]) {
        match self {
            Activation::Identity => {}
            Activation::Relu => each(rows, |x| x.max(Native::splat(0.0))),
            Activation::Gelu => gelu_rows(rows),
            Activation::Silu => silu_rows(rows),
        }
    }
}

// Functions of their own: inlined into the loops over tiles, their constants would take the registers.
#[inline(never)]
fn gelu_rows<const N: usize>(rows: [&mut TileRow; N]) {
    each(rows, gelu_of);
}

#[inline(never)]
fn silu_rows<const N: usize>(rows: [&mut TileRow; N]) {
    each(rows, silu_of);
}

/// A row of a tile at a time: two vectors do not wait for each other.
#[inline(always)]
fn each<const N: usize>(rows: [&mut TileRow; N], f: impl Fn(Native) -> Native) {
    for row in rows {
        let [left, right] = row.each_ref().map(Native::load).map(&f);
        left.store(&mut row[0]);
        right.store(&mut row[1]);
    }
}
