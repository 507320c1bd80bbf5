//! Layers that a host computes for the models that it grants that, outside of their sandboxes.
//!
//! A model's `init` has said what to pack ([`LayerSpec`]). [`PackedLayers::pack`] packs the matrices out of verified
//! files, once for all sandboxes of the model; each call of a guest is then checked ([`PackedKernels::plan`]) and
//! computed.
//!
//! From the bottom up: `rows`, `weights` and the matrices of each format; `packed_layer`, which chooses among them;
//! `row_stage` and `attention`, which do a part of a call; `stages`, a whole call; `shared_kernels`, all that one model
//! has.

#![forbid(unsafe_code)]

mod attention;
mod f16_matrix;
mod f32_matrix;
mod f32_product;
mod int4_matrix;
mod int4_product;
mod int8_matrix;
mod normalization;
mod packed_layer;
mod packed_layers;
mod pool;
mod rounding;
mod row_stage;
mod rows;
mod shared_kernels;
mod stages;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
mod tests;
mod weights;

pub use packed_layers::PackedLayers;
pub use pool::KernelThreads;
pub use shared_kernels::SharedKernels;

#[expect(unused_imports, reason = "for the documentation above")]
use ampoule_sandbox::imports::kernels::{LayerSpec, PackedKernels};
