//! Keeps an audit log that its writer cannot read, and in which every later change is found.
//!
//! A log is a directory of **segments**, each a sequence of frames. A frame holds the rows of about a second, compressed
//! and sealed to the public keys of those who may read them (`age`). Each frame's hash covers the frame before, and each
//! carries a signature over its hash: frames cannot be changed, taken out, put in or reordered without a trace.
//!
//! A [`Writer`] holds public keys, the signing key of one segment and the last hash. Whoever takes over its process can
//! read nothing of the log. Each segment has a new signing key, named by the last frame of the one before, so such a
//! thief cannot write older segments again either. After a crash at any byte the writer goes on behind the last whole
//! frame.
//!
//! Frames that were taken off the end, and a log that was put back as a whole, are found by an [`Anchor`]: a line that
//! names the last frame of a moment, and that is worth something once it is kept on another machine.
//!
//! [`Audit`] is the thread that writes, with the rows that wait for it in bounded memory. [`verify()`] needs no key to
//! read with, and [`Rows`] needs an [`Identity`].
//!
//! ```
//! use std::time::Duration;
//!
//! use ampoule_audit::{
//!     Audit, AuditKey, AuditSettings, Disk, Event, Identity, LogDirectory, Marks, Recipients, Row, Rows, Writer,
//!     WriterSettings, verify,
//! };
//! use ampoule_signing::Timestamp;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let parent = tempfile::tempdir()?;
//! # let (log, state) = (parent.path().join("log"), parent.path().join("state"));
//! // The auditor's machine.
//! let identity = Identity::generate();
//!
//! // The server's.
//! let recipients = Recipients::parse([&*identity.recipient()])?;
//! let writer = Writer::open(Disk::open(&log, &state)?, WriterSettings::new(recipients), Timestamp::now())?;
//! let audit = Audit::start(writer, AuditSettings::default())?;
//! let permit = audit.reserve()?;
//! permit.send(Row::new(Event::Request, Timestamp::now()));
//! assert!(audit.close(Duration::from_secs(10)));
//!
//! // Anybody's.
//! let directory = LogDirectory::new(&log);
//! let root = AuditKey::from_pem(&std::fs::read_to_string(log.join("audit.pub"))?)?;
//! let marks = Marks { root: Some(root), anchors: vec![audit.anchor()], ..Marks::default() };
//! assert_eq!(verify(&directory, &marks)?.rows, 3);
//!
//! // The auditor's again.
//! let rows: Result<Vec<_>, _> = Rows::new(&directory, &marks, &identity)?.collect();
//! let events: Vec<_> = rows?.iter().map(|read| read.row.row.event).collect();
//! assert_eq!(events, [Event::Start, Event::Request, Event::Stop]);
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! Each imports only from those to its left or above:
//!
//! ```text
//! hex → chain → segment_key → anchor → frame       bytes
//! fault → error; fault → cursor                    checks from one frame to the next
//! seal, row                                        contents
//! storage → begin, scan → recover → writer → thread  writing; log_directory, disk: storage on disk
//! row → waiting → thread                           rows that wait
//! storage → verify → read                          reading
//! ```
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a unit test fails by panicking"
    )
)]

mod anchor;
mod begin;
mod chain;
mod cursor;
mod disk;
mod error;
mod fault;
mod frame;
mod head;
mod hex_text;
mod log_directory;
mod read;
mod recover;
mod row;
mod scan;
mod seal;
mod segment_key;
mod storage;
mod thread;
mod verify;
mod waiting;
mod writer;

pub use anchor::Anchor;
pub use chain::{FrameHash, LogId};
pub use disk::Disk;
pub use error::{Error, Result};
pub use fault::{Fault, FaultKind};
pub use frame::MAX_PAYLOAD_BYTES;
pub use head::{MAX_HEAD_BYTES, anchor_of_head};
pub use log_directory::{LogDirectory, PUBLIC_KEY_FILE};
pub use read::{ReadRow, Rows};
pub use row::{
    Contents, Cut, Decision, Event, MAX_CONTENTS_BYTES, MAX_ROW_BYTES, NumberedRow, Row, RowModel,
    Short, Who,
};
pub use seal::{Identity, MAX_BATCH_BYTES, MAX_IDENTITY_BYTES, MAX_RECIPIENTS, Recipients, Sealed};
pub use segment_key::{AuditKey, MAX_AUDIT_KEY_BYTES};
pub use storage::{LogSource, StateFile, Storage};
pub use thread::{Audit, AuditState};
pub use verify::{Marks, Report, verify};
pub use waiting::{AuditSettings, OnFailure, RowPermit, Unavailable};
pub use writer::{SyncEach, Writer, WriterSettings};
