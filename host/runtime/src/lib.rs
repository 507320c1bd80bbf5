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
//!
//! With the feature `serde`, requests, answers and reports can be serialized, in a form that stays: sizes in bytes,
//! times in milliseconds, errors as an [`ErrorReport`].
//!
//! A host is two halves: `ampoule-load` verifies, admits and compiles; `ampoule-serve` answers requests and sees neither
//! trust nor files. Between them goes a [`LoadedModel`], which is plain data. This crate is the façade over both.

#![forbid(unsafe_code)]

mod builder;
mod changes;
mod error_report;
mod follower;
mod host;
mod live_model;
mod lookers;
mod model;
mod serving;
mod watch;

pub use ampoule_signing::{
    Bundle, KeyId, Location, Manifest, ModelReference, ParseError, PermissionPolicy, PublicKey,
    ReleaseState, SeenRelease, Sha256Digest, Timestamp, TrustStore,
};
/// The trait of [`Chunks`] and [`Changes`].
pub use futures_core::Stream;

pub use ampoule_units::text::lines as harmless_text;
pub use ampoule_units::{ByteSize, Fuel};

pub use ampoule_load::{
    CacheEntry, CodeCache, CompileProcess, ComponentSurface, Inspection, LoadCounters, LoadOptions,
    Loader, LoaderSettings, RollbackProtection, compile_for_host, inspect, inspect_bundle,
    is_granted, refusal,
};
pub use ampoule_sandbox::code::engine::EngineProfile;
pub use ampoule_sandbox::code::facts::{InitReport, SandboxStart};
pub use ampoule_sandbox::imports::guest_log::{GuestLog, LogLevel, LogMessage};
pub use ampoule_sandbox::{
    BundleRefusal, CONTRACT, CapOwner, Capability, CodeOrigin, CompileLimits, Error, ErrorKind,
    InitLimits, Limit, Limits, LoadedModel, ModelFacts, Phase, Remedy, RequestLimits, Result, Task,
    limits,
};
pub use ampoule_serve::{
    Answer, CallOptions, Chunk, Chunks, Content, Counters, Finish, Generation, GenerationRequest,
    Image, ImageEmbeddings, InputChecks, Label, Message, ModelInfo, Observer, RequestEvent,
    Sampling, SandboxCosts, SandboxReport, Server, ServerSettings, TextEmbeddings, Times, Tokens,
    Usage,
};
pub use builder::HostBuilder;
pub use changes::Changes;
pub use error_report::ErrorReport;
pub use host::{Host, HostCounters};
pub use live_model::LiveModel;
pub use model::Model;
pub use serving::Refusal;
