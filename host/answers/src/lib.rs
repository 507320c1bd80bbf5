//! Keeps answers of models for the tenants that asked, encrypted, bounded and apart from each other.
//!
//! Nothing in here knows of models or of HTTP. A server hashes everything that determines an answer into a [`Question`],
//! under a key of the tenant who asks, and keeps the answer's bytes under it.
//!
//! **Apart**: each tenant has a key of its own, a map of its own and a lock of its own. Neither a hit nor an eviction of
//! one tenant's shows in the time of another's look-up. The bound on all entries is the one thing that tenants share: where
//! it is reached, the tenant with the most bytes loses entries.
//!
//! **Encrypted**: an entry is sealed with AES-256-GCM under a key of its own. Its request's hash, its model and its end are
//! authenticated with it. An entry that was changed, cut or put into the place of another is a miss, and the operator is
//! warned, at most once a minute.
//!
//! **Bounded**: [`Bounds`] has the bytes of all, the bytes of one tenant, and the age of an entry.
//!
//! **Forgotten**: by tenant, by model, or all at once. Without a key file a tenant's key is random, in memory only, and
//! goes with its entries.
//!
//! ```
//! use ampoule_answers::{Answers, Bounds};
//!
//! # fn main() -> ampoule_answers::Result<()> {
//! let answers = Answers::in_memory(Bounds::default())?;
//! let acme = answers.of_tenant("acme").expect("there is one tenant");
//! let question = acme.question([7; 32]).part(b"text-embedding").part(b"a text").finish();
//! assert!(acme.find(&question).is_none());
//! assert!(acme.keep(&question, b"a vector"));
//! assert_eq!(acme.find(&question).as_deref().map(Vec::as_slice), Some(&b"a vector"[..]));
//! answers.forget_model(&[7; 32]);
//! assert!(acme.find(&question).is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! Each imports only from those to its left or above:
//!
//! ```text
//! error → bounds;  hash → tenant_key, question → entry
//! directory → shelf                          entries as files, and the entries of one tenant
//! warnings → shelves                         all tenants, and the room that they share
//! sweeper → cache                            the cache, and the thread that removes old entries
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "a test may panic"
    )
)]

mod bounds;
mod cache;
mod directory;
mod entry;
mod error;
mod hash;
mod question;
mod shelf;
mod shelves;
mod sweeper;
mod tenant_key;
mod warnings;

pub use bounds::Bounds;
pub use cache::{Answers, Counts, TenantAnswers};
pub use entry::MAX_ANSWER_BYTES;
pub use error::{Error, Result};
pub use question::{Manifest, Question, QuestionBuilder};
pub use tenant_key::MasterKey;
