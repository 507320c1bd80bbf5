//! A loaded model on its way to another process, over a Unix socket.
//!
//! ```text
//! loading process                                      serving process
//! LoadedModel::send ── head, code, files, lease ─────► LoadingProcess::receive
//! LeaseKeeper ◄───── renewals and changes of trust ──► RemoteLessor
//! ```
//!
//! Code and files go as sealed files in memory, and each lease has a socket of its own. All of them are descriptors, so
//! the receiver opens nothing. The receiver believes the sender's words, since it runs the sender's code; it still
//! bounds each length before memory is taken, and checks each descriptor.

mod descriptors;
mod head;
mod lease_messages;
mod model_message;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
mod tests;

pub use head::{read_bytes, read_head, write_head};
pub use lease_messages::{LeaseKeeper, RemoteLessor};
pub use model_message::LoadingProcess;
