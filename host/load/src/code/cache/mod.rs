//! The cache of compiled models: native code kept from one run of a program to the next.
//!
//! ```text
//! code_cache     CodeCache: settings of the embedder, and what `ampoule cache` does
//! open_cache     the opened directory: look an entry up, add one, evict the least recently used
//! bounds         the bounds on size and age, and the choice of what they evict
//! entry          format of an entry, and its authentication
//! key            the key of the authentication codes
//! ```

mod bounds;
pub(crate) mod code_cache;
mod entry;
mod key;
pub(crate) mod open_cache;
