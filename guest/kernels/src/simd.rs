//! Four f32 numbers at once, and the inner loops: the algorithms' needs of an architecture.
//!
//! [`Vector`] and [`Kernels`] are the traits, [`Native`] has them for this target. The macros of `tile_loop`,
//! `strip_loop` and `int8_loop` are the loops' bodies, which all architectures share.

mod inner_loops;
mod int8_loop;
mod strip_loop;
mod tile_loop;
mod vector;

#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(target_arch = "wasm32")]
mod wasm32;

pub(crate) use inner_loops::Kernels;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use portable::Portable as Native;
pub(crate) use vector::Vector;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm32::Simd128 as Native;

pub(crate) use crate::blocks::LANES;
