//! Values with one written form, and the errors that show them. Nothing here reads a file.
//!
//! ```text
//! digest          SHA-256, of whole files and of chunks
//! key_id          names of keys
//! validity        a time span; the earliest of several ends
//! document_kind   manifest, root or revocation list, with their payload types
//! revoked         things that a revocation list names
//! trust_error     TrustError: who signed, and whom this host trusts
//! error           Error: everything else, and TrustError
//! json            strict JSON, which has one reading
//! ```

pub(crate) mod digest;
pub(crate) mod document_kind;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod key_id;
pub(crate) mod revoked;
pub(crate) mod trust_error;
pub(crate) mod validity;
