//! Sandboxes of served models: one for each request, from the model's linked code.

pub(crate) mod held_sandbox;
mod kernels;
pub(crate) mod linked_code;
pub(crate) mod request_sandbox;
pub(crate) mod served_model;

pub(crate) use kernels::KernelsMaker;
