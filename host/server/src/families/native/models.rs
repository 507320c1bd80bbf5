//! The models that are served, with their signers, grants and limits: `/ampoule/v1/models`.

use std::collections::BTreeMap;

use ampoule::{CodeOrigin, EngineProfile, Model, SandboxBudgets, SandboxStart};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::native::error::ErrorBody;
use crate::http::json::json_response;
use crate::http::name::Name;
use crate::models::{self, Entry};
use crate::request::context::Context;
use crate::service::Service;

/// All models, in the order of their names.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeModelList)]
pub(crate) struct ModelList {
    models: Vec<ModelEntry>,
}

/// A model's place on this server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeModel)]
pub(crate) struct ModelEntry {
    /// The name that this server gave it.
    name: String,
    /// Further names for requests.
    aliases: Vec<String>,
    readiness: Readiness,
    /// Facts about the release that is loaded; absent while none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    loaded: Option<Loaded>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = NativeReadiness)]
enum Readiness {
    /// It is being loaded for the first time.
    Loading,
    /// The last attempt to load it failed.
    Failed,
    /// It answers requests.
    Ready,
    /// It was up, and its trust was withdrawn: requests to it are refused.
    Untrusted,
}

/// A model that was verified, admitted and compiled.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeLoadedModel)]
struct Loaded {
    /// The publisher, who signed it.
    publisher: String,
    /// The name that the publisher gave it.
    model: String,
    /// The version, for people.
    version: String,
    /// The number of the release, which only grows.
    release: u64,
    /// SHA-256 of the signed manifest, in hexadecimal digits: the model's identity.
    manifest_sha256: String,
    /// The ids of the trusted keys that signed the manifest.
    signers: Vec<String>,
    /// The time at which the manifest was written, by RFC 3339.
    #[schema(format = DateTime)]
    created: String,
    /// The last moment at which hosts load it, by RFC 3339; absent without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    not_after: Option<String>,
    /// Bytes of its component and its files.
    size_bytes: u64,
    /// The tasks that it offers.
    tasks: Vec<String>,
    /// The extras that it asked for.
    capabilities: Vec<CapabilityGrant>,
    limits: ModelLimits,
    profile: Profile,
    /// True when one request gives the same bits on every machine.
    is_deterministic: bool,
    sandbox_start: Start,
    /// Cost of the `init` before the snapshot; absent for a model that starts cold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    init: Option<InitCost>,
    code_origin: Origin,
    /// The family of network, in the model's own words.
    architecture: String,
    /// Facts that the model tells of itself, such as `embedding.dimensions`.
    properties: BTreeMap<String, String>,
    /// The publisher's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// The licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    license: Option<String>,
    /// The origin of the weights, in the publisher's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    source: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeCapability)]
struct CapabilityGrant {
    /// The capability's name, such as `host-kernels`.
    name: String,
    /// True when the model has it here.
    is_granted: bool,
}

/// The most that one request may cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeModelLimits)]
struct ModelLimits {
    memory_bytes: u64,
    fuel: u64,
    deadline_ms: u64,
    /// Bytes that the model may hand over in one call.
    output_bytes: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = NativeProfile)]
enum Profile {
    /// Fuel is counted, and guests are interrupted.
    Metered,
    /// As `metered`, and answers are the same bits on every machine.
    Deterministic,
    /// Neither counted nor interrupted: for measurements.
    Unmetered,
}

/// The way in which each sandbox begins.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[schema(as = NativeSandboxStart)]
enum Start {
    /// With its memory as `init` left it when the model was loaded.
    Snapshot { memory_bytes: u64 },
    /// With a run of `init`.
    Cold { reason: String },
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeInitCost)]
struct InitCost {
    fuel: u64,
    peak_memory_bytes: u64,
    wall_ms: f64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = NativeCodeOrigin)]
enum Origin {
    /// Compiled for this load.
    Compiled,
    /// Found in the cache.
    Cached,
    /// Shared with a model that was loaded before.
    Shared,
}

/// Lists the models with all that is known of each.
#[utoipa::path(
    get,
    path = "/ampoule/v1/models",
    tag = "Ampoule",
    operation_id = "native_models",
    responses((status = 200, body = ModelList), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn list(State(service): State<Service>, context: Context) -> Response {
    service.look_at_models().await;
    let models = service.visible(&context).entries();
    let models = models
        .iter()
        .map(|entry| describe(entry, &context))
        .collect();
    json_response(StatusCode::OK, &ModelList { models })
}

/// Describes one model by any of its names. A slash in a name is written `%2F`.
#[utoipa::path(
    get,
    path = "/ampoule/v1/models/{name}",
    tag = "Ampoule",
    operation_id = "native_model",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    responses(
        (status = 200, body = ModelEntry),
        (status = 404, body = ErrorBody),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn get(
    State(service): State<Service>,
    context: Context,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let entry = service.visible(&context).entry(&name);
    let entry = entry.ok_or_else(ApiError::unknown_model)?;
    entry.look().await;
    Ok(json_response(StatusCode::OK, &describe(&entry, &context)))
}

fn describe(entry: &Entry, context: &Context) -> ModelEntry {
    ModelEntry {
        name: entry.name.to_string(),
        aliases: entry.aliases.iter().map(ToString::to_string).collect(),
        readiness: match entry.readiness() {
            models::Readiness::Loading => Readiness::Loading,
            models::Readiness::Failed => Readiness::Failed,
            models::Readiness::Ready => Readiness::Ready,
            models::Readiness::Untrusted => Readiness::Untrusted,
        },
        loaded: entry.model().map(|model| Loaded::of(&model, context)),
    }
}

impl Loaded {
    fn of(model: &Model, context: &Context) -> Self {
        let manifest = model.manifest();
        let files = std::iter::once(manifest.component()).chain(manifest.files());
        Self {
            publisher: manifest.publisher().to_owned(),
            model: manifest.name().to_owned(),
            version: manifest.version().to_string(),
            release: manifest.release(),
            manifest_sha256: model.manifest_digest().to_string(),
            signers: model.signers().iter().map(ToString::to_string).collect(),
            created: manifest.created().to_string(),
            not_after: manifest.not_after().map(|time| time.to_string()),
            size_bytes: files.map(|file| file.size().bytes()).sum(),
            tasks: context
                .tasks_of(model)
                .iter()
                .map(ToString::to_string)
                .collect(),
            capabilities: capabilities(model),
            limits: model.budgets().into(),
            is_deterministic: model.profile() == EngineProfile::Deterministic,
            profile: match model.profile() {
                EngineProfile::Metered => Profile::Metered,
                EngineProfile::Deterministic => Profile::Deterministic,
                _ => Profile::Unmetered,
            },
            sandbox_start: start(model.sandbox_start()),
            init: model.init_report().map(|report| InitCost {
                fuel: report.fuel.get(),
                peak_memory_bytes: report.peak_memory.bytes(),
                wall_ms: report.wall.as_secs_f64() * 1_000.0,
            }),
            code_origin: match model.code_origin() {
                CodeOrigin::Cached => Origin::Cached,
                CodeOrigin::Shared => Origin::Shared,
                _ => Origin::Compiled,
            },
            architecture: model.info().architecture.clone(),
            properties: model.info().properties.iter().cloned().collect(),
            description: manifest.description().map(str::to_owned),
            license: manifest.license().map(str::to_owned),
            source: manifest.source().map(str::to_owned),
        }
    }
}

/// Returns the capabilities that the manifest names. Of those that this host knows, a model that runs was granted what
/// it uses; one that the host does not know is granted to nobody.
fn capabilities(model: &Model) -> Vec<CapabilityGrant> {
    let grant = |name: &String| CapabilityGrant {
        is_granted: ampoule::Capability::from_name(name)
            .is_some_and(|known| is_granted(model, known)),
        name: name.clone(),
    };
    model.manifest().capabilities().iter().map(grant).collect()
}

fn is_granted(model: &Model, capability: ampoule::Capability) -> bool {
    match capability {
        ampoule::Capability::HostKernels => model.uses_host_kernels(),
        _ => false,
    }
}

fn start(start: &SandboxStart) -> Start {
    match start {
        SandboxStart::Snapshot { memory } => Start::Snapshot {
            memory_bytes: memory.bytes(),
        },
        SandboxStart::Cold { reason } => Start::Cold {
            reason: reason.clone(),
        },
        _ => Start::Cold {
            reason: "unknown".to_owned(),
        },
    }
}

impl From<&SandboxBudgets> for ModelLimits {
    fn from(budgets: &SandboxBudgets) -> Self {
        let request = budgets.request;
        Self {
            memory_bytes: request.memory.bytes(),
            fuel: request.fuel.get(),
            deadline_ms: u64::try_from(request.deadline.as_millis()).unwrap_or(u64::MAX),
            output_bytes: budgets.output.bytes(),
        }
    }
}
