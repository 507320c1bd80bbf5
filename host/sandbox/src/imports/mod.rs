//! The functions that a guest can call: the contract's own, and an inert WASI base.

pub mod assets;
pub mod bindings;
pub mod clocks;
mod filesystem;
pub mod guest_log;
pub mod kernels;
pub mod wasi;
