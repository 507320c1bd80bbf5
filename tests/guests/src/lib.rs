//! Shared parts of the hostile and the odd guests: bindings, ordinary behaviour, and a macro for each
//! interface that a guest may export.
//!
//! These guests do without the SDK, because they must be able to misbehave. Each is one file in this
//! package's root; `README.md` lists them with the answer that the host owes to each.
//!
//! The generated bindings, and the exports that the macros expand to in each guest, are `unsafe` by
//! nature, so this package cannot forbid it. Guests run in a sandbox and nowhere else.

mod bindings;
mod export;
pub mod ordinary;

pub use bindings::{
    host_kernels_user, image_classifier, image_embedder, model, text_embedder, text_generator,
    text_tokenizer,
};

pub use bindings::clock_source::wasi::clocks::monotonic_clock;
pub use bindings::clock_source::wasi::io::poll::Pollable;
pub use bindings::random_source::wasi::random::random;
pub use host_kernels_user::ampoule::model::host_kernels;
pub use model::ampoule::model::{assets, log, types};
pub use model::exports::ampoule::model::lifecycle;

pub use image_classifier::exports::ampoule::model::image_classification;
pub use image_embedder::exports::ampoule::model::image_embedding;
pub use text_embedder::exports::ampoule::model::text_embedding;
pub use text_generator::exports::ampoule::model::text_generation;
pub use text_tokenizer::exports::ampoule::model::text_tokenization;

pub use text_embedding::Embeddings;
pub use types::{Error, Image, Property, Usage};
