//! Shared parts of the end-to-end tests: built guests, bundles signed for the occasion, hosts.
//!
//! Nothing here stands in for a real part: bundles are signed and verified, guests are compiled
//! and run, as they would be for an operator. `cargo xtask test` builds the guests first.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's harness fails by panicking"
)]

mod accuracy_bounds;
mod authority;
mod built_in;
mod bundle;
mod cache;
mod collector;
mod desk;
mod evaluation;
mod evaluation_results;
mod event_stream;
mod flood;
mod guests;
mod hosts;
pub mod http2_client;
mod operator;
mod pictures;
mod place;
mod process;
mod raw_client;
mod restricted;
mod score_table;
mod served;
mod served_here;
mod shared_server;
mod snapshot_size;
mod soak;
mod tls_client;

pub use accuracy_bounds::Extent;
pub use authority::{Authority, Issued};
pub use built_in::{built_in, built_in_folder, built_in_with_deadline};
pub use bundle::{BundleBuilder, Publisher, WrittenBundle};
pub use cache::{CacheDirectory, EntryParts, set_last_use, set_mode};
pub use collector::{Collector, SentSpan};
pub use desk::{Desk, succeeds};
pub use evaluation::{Question, Score, evaluation_questions, evaluation_sample};
pub use evaluation_results::{EvaluatedFiles, EvaluationResults};
pub use event_stream::{StreamEvent, stream_events};
pub use flood::{Flood, FloodReport, flood};
pub use guests::{
    minilm, minilm_weights, package_guest, test_guest, tiny_vlm, wat_guest, wat_guest_with,
    workspace_file,
};
pub use hosts::{block_on, host_trusting, host_with_limits};
pub use operator::{Operator, assert_fails, json_of};
pub use pictures::{picture_base64, png_header};
pub use place::{Delivery, Place};
pub use process::{
    ampoule, ampoule_sign, ampoule_with_traces, installed_program, minor_faults,
    peak_resident_bytes, private_dirty_bytes, proportional_bytes, reset_peak_resident_bytes,
    resident_bytes, serve_received,
};
pub use raw_client::{RawAnswer, RawClient};
pub use restricted::{
    Small, assert_classifies, assert_embeds, classify, filtered, sample_picture, under, with_mounts,
};
pub use score_table::ScoreTable;
pub use served::{Reply, Served};
pub use served_here::{ServedHere, read_answer};
pub use shared_server::SharedServer;
pub use snapshot_size::largest_snapshot;
pub use soak::{SoakReport, soak};
pub use tls_client::{TlsAnswer, TlsClient, TlsStream};
