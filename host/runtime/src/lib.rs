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
//! A host is two halves: `ampoule-load` verifies, admits and compiles; `ampoule-serve` answers requests and sees neither
//! trust nor files. Between them goes a [`LoadedModel`], which is plain data. This crate is the façade over both.
//!
//! # Features
//!
//! * `compile` (default): the loading half, with [`Host`], keys, trust and the compiler. A process that only serves what
//!   others have loaded does without: it gives a [`Server`] each [`LoadedModel`].
//! * `host-kernels` (default): layers that the host computes for the models that were granted that.
//! * `serde`: requests, answers and reports can be serialized, in a form that stays. Sizes are in bytes, times in
//!   milliseconds, errors an [`ErrorReport`].

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

#[cfg(feature = "compile")]
mod builder;
#[cfg(feature = "compile")]
mod changes;
mod error_report;
#[cfg(feature = "compile")]
mod follower;
#[cfg(feature = "compile")]
mod host;
#[cfg(feature = "compile")]
mod live_model;
#[cfg(feature = "compile")]
mod lookers;
#[cfg(feature = "compile")]
mod model;
#[cfg(feature = "compile")]
mod serving;
#[cfg(feature = "compile")]
mod watch;

// The crates beneath, for programs that hold the halves apart, and for the types that theirs are made of.
#[cfg(feature = "compile")]
pub use {ampoule_load as load, ampoule_signing as signing};
pub use {ampoule_sandbox as sandbox, ampoule_serve as serve};

#[cfg(feature = "compile")]
pub use ampoule_signing::{
    Bundle, KeyId, Location, Manifest, ModelReference, PermissionPolicy, PublicKey, ReleaseState,
    SeenRelease, Sha256Digest, Timestamp, TrustStore,
};
/// The trait of [`Chunks`] and [`Changes`].
pub use futures_core::Stream;

pub use ampoule_units::text::lines as harmless_text;
pub use ampoule_units::{ByteSize, Fuel, ParseError};

#[cfg(feature = "compile")]
pub use ampoule_load::{
    CacheEntry, CodeCache, CompileProcess, ComponentSurface, HostTrust, Inspection, LoadCounters,
    LoadOptions, Loader, LoaderSettings, Receipt, ReleaseRule, RollbackProtection, Terms,
    TrustSource, compile_for_host, inspect, inspect_bundle, is_granted, refusal,
};
pub use ampoule_sandbox::code::engine::EngineProfile;
pub use ampoule_sandbox::code::facts::{InitReport, SandboxStart};
pub use ampoule_sandbox::imports::guest_log::{GuestLog, LogLevel, LogMessage};
pub use ampoule_sandbox::{
    Budget, BundleRefusal, CONTRACT, CapOwner, Capability, CodeOrigin, CompileLimits, Error,
    ErrorKind, Lease, Lessor, Limit, Limits, LoadedModel, ModelFacts, Phase, Remedy, RequestLimits,
    Result, SandboxBudgets, Task, TrustLease,
};
/// A model that a [`Server`] serves, without the bundle that it came from.
#[cfg(feature = "compile")]
pub use ampoule_serve::Model as ServedModel;
#[cfg(not(feature = "compile"))]
pub use ampoule_serve::Model;
pub use ampoule_serve::{
    Answer, CallOptions, Chunk, Chunks, Content, Counters, Finish, Generation, GenerationRequest,
    Image, ImageEmbeddings, InputChecks, Label, Message, ModelInfo, Observer, RequestEvent,
    Sampling, SandboxCosts, SandboxReport, Server, ServerSettings, TextEmbeddings, Times, Tokens,
    Usage,
};
#[cfg(feature = "compile")]
pub use builder::HostBuilder;
#[cfg(feature = "compile")]
pub use changes::Changes;
pub use error_report::ErrorReport;
#[cfg(feature = "compile")]
pub use host::{Host, HostCounters};
#[cfg(feature = "compile")]
pub use live_model::LiveModel;
#[cfg(feature = "compile")]
pub use model::Model;
#[cfg(feature = "compile")]
pub use serving::Refusal;

/// Each type in a signature of this crate has a name here:
///
/// ```
/// use ampoule as a;
///
/// fn follow(live: &a::LiveModel) -> (a::Changes, Option<a::Refusal>, a::Model) {
///     (live.changes(), live.refusal(), live.model())
/// }
/// fn generation(generation: a::Generation) -> a::Chunks {
///     generation.into_stream()
/// }
/// fn parts(model: &a::Model) -> (&a::ServedModel, &a::Manifest, &[a::KeyId], &a::ModelFacts) {
///     (model, model.manifest(), model.signers(), model.facts())
/// }
/// fn more(model: &a::Model) -> (a::Sha256Digest, &[a::Task], &a::ModelInfo, &a::SandboxStart) {
///     (model.manifest_digest(), model.tasks(), model.info(), model.sandbox_start())
/// }
/// fn code(model: &a::Model) -> (a::CodeOrigin, Option<&a::InitReport>, a::ByteSize) {
///     (model.code_origin(), model.init_report(), model.packed_bytes())
/// }
/// fn manifest(manifest: &a::Manifest) -> (&a::signing::Version, &a::signing::FileEntry) {
///     (manifest.version(), manifest.component())
/// }
/// fn loaded(loaded: &a::LoadedModel) -> (&a::SandboxBudgets, &a::sandbox::Code, &a::TrustLease) {
///     (&loaded.budgets, &loaded.code, &loaded.lease)
/// }
/// fn counters(host: &a::Host) -> (a::Counters, a::LoadCounters, a::Limits) {
///     (host.counters().serving, host.counters().loading, host.limits().clone())
/// }
/// fn error(error: &a::Error) -> (a::ErrorKind, Option<a::Remedy>, a::ErrorReport) {
///     (error.kind(), error.remedy(), error.into())
/// }
/// async fn load(
///     loader: &a::Loader,
///     (bundle, rule, terms): (a::Bundle, a::ReleaseRule, a::Terms),
/// ) -> a::Result<(a::LoadedModel, a::Receipt)> {
///     loader.load(move || Ok(bundle), rule, terms).await
/// }
/// ```
#[cfg(all(doctest, feature = "compile"))]
pub struct Names;
