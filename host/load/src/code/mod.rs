//! Code: from an admitted component to native code, with its memory as `init` left it.
//!
//! ```text
//! identity       digest of everything that the code depends on
//! store          finds the code in the cache, or compiles it and adds it
//! cache          native code kept between two runs of a program
//! compile        snapshot, then the compiler, in this process
//! process        the same in a process of its own, whose body is worker; they exchange messages
//! snapshot       runs init, and writes the component that begins with init's memory
//! build_engines  the engines that compile
//! ```

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
