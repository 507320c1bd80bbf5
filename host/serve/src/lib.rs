//! Answers requests to loaded models, each in a sandbox of its own.
//!
//! A [`Server`] takes a [`LoadedModel`](ampoule_sandbox::LoadedModel), which is plain data, and returns a [`Model`] to
//! put requests to. It sees no key, no trust directory, no file and no compiler.
//!
//! * `tasks`: a file for each task of the contract, over checks of requests and of answers.
//! * `schedule`: the bounded queue, the threads that run guests, and the order in which they do.
//! * `sandbox`: a model's linked code, and the sandboxes that are made of it.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod call_options;
mod counters;
mod measure;
#[cfg(feature = "serde")]
mod millis;
mod model;
mod places;
mod sandbox;
mod schedule;
mod server;
mod serving;
mod tasks;

pub use call_options::CallOptions;
pub use counters::{Counters, Observer, RequestEvent};
pub use measure::{SandboxCosts, Times};
pub use model::{Model, ModelInfo};
pub use sandbox::request_sandbox::SandboxReport;
pub use server::{Server, ServerSettings};
pub use tasks::answer::{Answer, Usage};
pub use tasks::chunks::Chunks;
pub use tasks::image::Image;
pub use tasks::image_classification::Label;
pub use tasks::image_embedding::ImageEmbeddings;
pub use tasks::input::InputChecks;
pub use tasks::text_embedding::TextEmbeddings;
pub use tasks::text_generation::{
    Chunk, Content, Finish, Generation, GenerationRequest, Message, Sampling,
};
pub use tasks::text_tokenization::Tokens;
