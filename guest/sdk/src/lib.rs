//! The SDK of a model author: everything to write an Ampoule model with.
//!
//! A model is a type that implements [`Model`] and the traits of the tasks that it serves, and one
//! line that exports it:
//!
//! ```
//! use ampoule_guest::{Assets, Error, Model, ModelInfo, TextTokenization, Tokens};
//!
//! /// Says how many characters a text has, as its one "token".
//! struct Counter {
//!     bias: u32,
//! }
//!
//! impl Model for Counter {
//!     fn load(assets: &Assets) -> Result<Self, Error> {
//!         let bias = assets.read_to_string("bias.txt", 100)?;
//!         let bias = bias.trim().parse().map_err(|found| {
//!             Error::new("model.config", format!("expected a number in bias.txt: {found}"))
//!         })?;
//!         Ok(Counter { bias })
//!     }
//!
//!     fn describe(&self) -> ModelInfo {
//!         ModelInfo { architecture: "counter".to_owned(), properties: Vec::new() }
//!     }
//! }
//!
//! impl TextTokenization for Counter {
//!     fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error> {
//!         let count = |text: &String| self.bias + text.chars().count() as u32;
//!         Ok(texts.iter().map(|text| Tokens { ids: vec![count(text)], truncated: false }).collect())
//!     }
//! }
//!
//! ampoule_guest::export_model!(Counter: TextTokenization);
//! # fn main() {}
//! ```
//!
//! Built as a `cdylib` for `wasm32-wasip2`, that is a component which imports `ampoule:model`'s
//! `assets` and `log` and exports `lifecycle` and the tasks named.
//!
//! The host's promises and demands (the package `ampoule:model` in `wit/` has it in full):
//!
//! * [`Model::load`] runs once, under a budget of its own, and may read the files that the signed
//!   manifest lists. The memory it leaves behind is what every request starts from, so it pays to
//!   leave no second copy of the weights there: see [`Assets::read_into`].
//! * Every request runs in a fresh sandbox, which the next request does not see.
//! * Randomness drawn in `load` is shared by all requests: sampling must draw its own.
//! * A panic is a trap, and ends the sandbox; its message goes to the host's log.
//!
//! With the feature `host-kernels` a model can have the host compute its linear layers, where the operator grants
//! that: see the module `host_kernels`.
//!
//! A model that takes pictures reads and scales them with the crate `ampoule-picture`: see [`pictures`].
//!
//! On other targets than `wasm32` the same crate builds and a model can be tested as ordinary
//! Rust: [`Assets::from_source`] reads from a directory or from a map, and logging goes to the
//! standard error.

// The generated bindings hold `unsafe`, but as the expansion of another crate's macro, which the
// lint leaves alone: whatever is written by hand, here and in a model, is checked.
#![forbid(unsafe_code)]

mod asset_source;
mod assets;
#[expect(
    missing_docs,
    reason = "generated: documented only where `wit/` has an item for it"
)]
mod bindings;
mod error;
mod export;
#[cfg(target_arch = "wasm32")]
mod heap;
#[cfg(feature = "host-kernels")]
pub mod host_kernels;
mod instance;
pub mod log;
mod model;
mod panic_hook;
pub mod pictures;
mod tasks;

#[cfg(not(target_arch = "wasm32"))]
pub use asset_source::Directory;
pub use asset_source::{AssetSource, Host};
pub use assets::{Assets, Reader};
pub use bindings::model::ampoule::model::types::{Error, Image, Property, Rgb8Image, Usage};
pub use model::{Model, ModelInfo};
#[doc(hidden)]
pub use tasks::__exports;
pub use tasks::*;

/// Items that [`export_model!`] expands to, and that this crate's tests use; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::model;
    pub use crate::instance::Instance;
}
