//! Code: from an admitted component to native code, with its memory as `init` left it.
//!
//! `identity` says what decides which code a model becomes. `store` looks for that code in the `cache`, and has it made
//! otherwise: by `compile` in this process, or by a `process` of its own whose body is `worker`, with which it exchanges
//! `message`s. Making it is `snapshot`, then the compiler.

mod build_engines;
pub(crate) mod cache;
pub(crate) mod compile;
pub(crate) mod identity;
mod message;
pub(crate) mod process;
pub(crate) mod snapshot;
pub(crate) mod store;
pub(crate) mod worker;

pub(crate) use build_engines::BuildEngines;
pub(crate) use message::CompileRequest;
