//! One WebAssembly sandbox for one model: the engine, the limits, what a guest can import, and what goes wrong.
//!
//! Both halves of a host stand on this crate. Loading runs a model's `init` in a sandbox; serving runs requests in
//! sandboxes. Between the halves goes a [`LoadedModel`], which is plain data. Nothing in here knows of keys, trust,
//! bundles or paths.
//!
//! * [`code`]: native code, the engine that takes it, and facts about it.
//! * [`imports`]: the functions that a guest can call, and nothing else.
//! * [`guest`]: the store that a guest runs in, under its limits.
//! * [`wire`]: a loaded model on its way to another process.

#![deny(unsafe_code)]
#![warn(missing_debug_implementations)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "Ampoule runs on Linux only: it needs sealed files in memory (memfd), /proc and prctl."
);

mod capability;
pub mod code;
pub mod contract;
mod error;
pub mod guest;
pub mod imports;
mod lease;
mod limit_table;
pub mod limits;
pub mod limits_check;
mod loaded_model;
pub mod memory;
mod off_thread;
mod request_limits;
pub mod slots;
pub mod wasmtime_words;
pub mod wire;

pub use ampoule_units::{Budget, SandboxBudgets};
pub use capability::Capability;
pub use contract::{CONTRACT, Task};
pub use error::{BundleRefusal, CapOwner, Error, ErrorKind, Phase, Result};
pub use lease::{Lease, Lessor, TrustLease};
pub use limit_table::{Limit, Remedy};
pub use limits::{CompileLimits, Limits};
pub use loaded_model::{Code, CodeOrigin, LoadedModel, ModelFacts};
pub use off_thread::off_thread;
pub use request_limits::RequestLimits;
