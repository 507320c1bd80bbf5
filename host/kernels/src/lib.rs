//! Layers that the host computes outside of the sandbox, for models that are granted `host-kernels`.
//!
//! A model's `init` lists the layers to pack ([`LayerSpec`](ampoule_sandbox::imports::kernels::LayerSpec)).
//! [`PackedLayers::pack`] packs their matrices out of verified files, once for all sandboxes of the model. Each call of
//! a guest is then checked ([`PackedKernels::plan`](ampoule_sandbox::imports::kernels::PackedKernels::plan)) and
//! computed.
//!
//! From the bottom up:
//!
//! ```text
//! rows, weights             inputs of a call, and weights as they lie in files
//! f32_, f16_, int8_, int4_  matrices of each format, with their products
//! packed_layer              one layer, with the choice among the formats
//! row_stage, attention      parts of a call
//! stages                    a whole call
//! shared_kernels            the layers of one model, with the threads (pool) that compute them
//! ```

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
