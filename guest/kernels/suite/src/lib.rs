//! Checks of all that `ampoule-kernels` computes, against naive sums in f64, over many odd shapes.
//!
//! Each check is a function that panics when it does not hold. They run natively, as tests of
//! `ampoule-kernels`, and in the sandbox, as the guests of `tests/kernel-guests`, where they hold of
//! the code that the host compiles of the vector instructions, too.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    reason = "a check fails by panicking"
)]

pub mod activations;
pub mod attention;
mod checks;
pub mod conv;
mod guest;
pub mod linear;

pub use checks::CHECKS;
pub use guest::Suite;
