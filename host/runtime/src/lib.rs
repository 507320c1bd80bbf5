//! Runs signed machine-learning models in WebAssembly sandboxes.
//!
//! Model files are code: parsers, tokenizers and image decoders have been attacked again and again.
//! This library runs all of that inside a sandbox. A model is a *bundle*: a WebAssembly component,
//! its files, and an envelope in which a publisher signed both. A [`Host`] loads a bundle only if
//! it trusts the publisher's key for the publisher's name, and answers each request in a sandbox
//! of its own, with limits on time, fuel (counted work, see [`Fuel`]), memory and output.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use ampoule::{Host, Limits};
//!
//! let host = Host::builder()
//!     .trust_directory("trust")
//!     .limits(Limits::default())
//!     .build()?;
//! let model = host.load("models/minilm").await?;
//! let answer = model.embed_text(&["Where is the library?"]).await?;
//! println!(
//!     "{} dimensions for {} of fuel",
//!     answer.output.dimensions, answer.sandbox.fuel
//! );
//! # Ok(())
//! # }
//! ```
//!
//! The futures need no particular runtime: guests run on threads that the host owns, so a guest
//! that computes for seconds delays nobody else, and dropping a future stops its guest.
//!
//! Every error has a stable code: see [`Error::code`].

#![deny(unsafe_code)]

mod admission;
mod answer;
mod answer_check;
mod aot_cache;
mod artifact;
mod assets;
mod bindings;
mod chores;
mod clocks;
mod code_identity;
mod code_store;
mod compile;
mod compile_message;
mod compile_process;
mod compile_worker;
mod component_instances;
mod component_size;
mod contract;
mod engine;
mod error;
mod executor;
mod filesystem;
mod generation;
mod guest_features;
mod guest_log;
mod held_sandbox;
mod host;
mod host_kernels;
mod image;
mod image_header;
mod input;
mod inspect;
mod limit_table;
pub mod limits;
mod limits_check;
mod live_model;
mod load_options;
mod loads;
mod measure;
mod memory;
mod model;
mod native_code;
mod release_rule;
mod sandbox;
mod sealed_file;
mod snapshot;
mod state;
mod stop;
mod store;
mod surface;
mod system_refusal;
mod text;
mod ticker;
mod trust;
mod wasi;
mod wasmtime_words;
mod watch;

pub use ampoule_signing::text::lines as harmless_text;
pub use ampoule_signing::{
    Bundle, ByteSize, Fuel, KeyId, Location, Manifest, ModelReference, PermissionPolicy, PublicKey,
    ReleaseState, SeenRelease, Sha256Digest, TrustStore,
};

pub use answer::{Answer, Usage};
pub use aot_cache::{CacheEntry, CodeCache};
pub use code_store::CodeOrigin;
pub use compile::{InitReport, SandboxStart};
pub use compile_process::CompileProcess;
pub use compile_worker::compile_for_host;
pub use contract::{CONTRACT, Task};
pub use engine::EngineProfile;
pub use error::{Error, Phase, Result};
pub use generation::{Chunk, Content, Finish, Generation, GenerationRequest, Message, Sampling};
pub use guest_log::{GuestLog, LogLevel, LogMessage};
pub use host::{Host, HostBuilder};
pub use host_kernels::Capability;
pub use image::{Image, ImageEmbeddings, Label};
pub use inspect::{Inspection, inspect, inspect_bundle};
pub use limit_table::{Limit, Remedy};
pub use limits::{CompileLimits, InitLimits, Limits};
pub use live_model::{LiveModel, Refusal};
pub use load_options::{LoadOptions, RequestLimits, RollbackProtection};
pub use measure::{SandboxCosts, Times};
pub use model::{Model, ModelInfo};
pub use sandbox::SandboxReport;
pub use surface::ComponentSurface;
pub use text::{TextEmbeddings, Tokens};
