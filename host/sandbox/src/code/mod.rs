//! Native code: the engine that takes it, the sealed file that holds it, and the facts that go with it.

pub mod engine;
pub mod facts;
pub mod native_code;
pub mod sealed_file;
pub mod ticker;
