//! Verifies, admits and compiles signed models: the slow, trusted and rare half of a host.
//!
//! A [`Loader`] turns a bundle into a [`LoadedModel`](ampoule_sandbox::LoadedModel), which is plain data:
//!
//! ```text
//! bundle ─► signatures and trust ─► admission ─► code, compiled or cached ─► LoadedModel
//! ```
//!
//! * `trust`: the trust that is in force, and the lease on each loaded model.
//! * `admission`: the operator's policy, and what a component's bytes say.
//! * `code`: the snapshot, the compiler, and the cache.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod admission;
mod code;
mod load_options;
mod loader;
mod loads;
mod refusal;
mod trust;

pub use admission::grants::is_granted;
pub use admission::inspect::{Inspection, inspect, inspect_bundle};
pub use admission::release_rule::ReleaseRule;
pub use admission::surface::ComponentSurface;
pub use code::cache::code_cache::{CacheEntry, CodeCache};
pub use code::process::CompileProcess;
pub use code::worker::compile_for_host;
pub use load_options::{LoadOptions, RollbackProtection, Terms};
pub use loader::{Loader, LoaderSettings, Receipt};
pub use loads::LoadCounters;
pub use refusal::refusal;
pub use trust::{HostTrust, TrustSource};
