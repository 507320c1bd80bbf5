//! The store that a guest runs in: its state, its limits, and the reasons that it stops for.

mod linker;
pub mod session;
pub mod state;
pub mod stop;
pub mod store;
pub mod system_refusal;

pub use linker::link;
