//! The models that are served: `/api/tags`, `/api/ps`, `/api/show`.

use std::collections::BTreeMap;

use ampoule::{Model, SandboxStart, Task};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::core::properties::Properties;
use crate::error::ApiError;
use crate::families::ollama::error::ErrorBody;
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::models::Readiness;
use crate::request::context::Context;
use crate::service::Service;

/// The end of a model that is never unloaded: a year that all clients' calendars know.
const NEVER: &str = "9999-01-01T00:00:00Z";

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaTags)]
pub(crate) struct Tags {
    models: Vec<Tag>,
}

/// A model that is served, under one of its names.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaTag)]
pub(crate) struct Tag {
    /// With its tag, such as `minilm:latest`.
    name: String,
    /// As `name`.
    model: String,
    /// The time at which the publisher made the release, by RFC 3339.
    #[schema(format = DateTime)]
    modified_at: String,
    /// Bytes of its component and its files.
    size: u64,
    /// SHA-256 of the signed manifest, in hexadecimal digits.
    digest: String,
    details: Details,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaDetails)]
pub(crate) struct Details {
    parent_model: &'static str,
    /// `wasm`: a WebAssembly component.
    format: &'static str,
    /// The family of network, in the model's own words.
    family: String,
    families: Vec<String>,
    /// Empty: models do not say it.
    parameter_size: &'static str,
    /// Empty: models do not say it.
    quantization_level: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaRunningModels)]
pub(crate) struct RunningModels {
    models: Vec<Running>,
}

/// A model that answers requests. All that are served stay loaded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaRunningModel)]
pub(crate) struct Running {
    name: String,
    model: String,
    /// Bytes of memory that all its sandboxes share.
    size: u64,
    /// 0: models run on the processor.
    size_vram: u64,
    digest: String,
    details: Details,
    /// The last moment at which hosts load the model, or the year 9999, by RFC 3339.
    #[schema(format = DateTime)]
    expires_at: String,
    /// The longest input in tokens, where the model says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    context_length: Option<u64>,
}

/// The name of a model. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaShowRequest)]
#[allow(dead_code, reason = "ignored fields stand in the schema")]
pub(crate) struct ShowRequest {
    model: Option<String>,
    /// An older name of `model`.
    name: Option<String>,
    /// Ignored: all that is known is shown.
    verbose: Option<Value>,
    /// Ignored.
    system: Option<Value>,
    /// Ignored.
    template: Option<Value>,
    /// Ignored.
    options: Option<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaShow)]
pub(crate) struct Show {
    /// The licence, where the publisher names it.
    license: String,
    /// Empty: a bundle has no Modelfile.
    modelfile: &'static str,
    /// Empty: a bundle has no parameters.
    parameters: &'static str,
    /// Empty: the template is within the model.
    template: &'static str,
    details: Details,
    /// Facts about the model. Those with `ampoule.` are of its signed manifest.
    model_info: BTreeMap<String, Value>,
    /// `completion`, `vision` and `embedding`, as far as the model does them.
    capabilities: Vec<&'static str>,
    #[schema(format = DateTime)]
    modified_at: String,
}

/// Lists the models that are up, each under its own name and under each alias.
#[utoipa::path(
    get,
    path = "/api/tags",
    tag = "Ollama",
    operation_id = "ollama_tags",
    responses((status = 200, body = Tags)),
)]
pub(crate) async fn tags(State(service): State<Service>, context: Context) -> Response {
    let models = named(&service, &context).await;
    let models = models.map(|(name, model)| tag(name, &model));
    let models = models.collect();
    json_response(StatusCode::OK, &Tags { models })
}

/// Lists the models that are up.
#[utoipa::path(
    get,
    path = "/api/ps",
    tag = "Ollama",
    operation_id = "ollama_ps",
    responses((status = 200, body = RunningModels)),
)]
pub(crate) async fn running(State(service): State<Service>, context: Context) -> Response {
    let models = named(&service, &context).await;
    let models = models.map(|(name, model)| Running {
        model: name.clone(),
        name,
        size: shared_bytes(&model),
        size_vram: 0,
        digest: model.manifest_digest().to_string(),
        details: details(&model),
        expires_at: model
            .manifest()
            .not_after()
            .map_or_else(|| NEVER.to_owned(), |time| time.to_string()),
        context_length: Properties::of(model.info()).max_tokens(),
    });
    let models = models.collect();
    json_response(StatusCode::OK, &RunningModels { models })
}

/// Describes one model.
#[utoipa::path(
    post,
    path = "/api/show",
    tag = "Ollama",
    operation_id = "ollama_show",
    request_body = ShowRequest,
    responses((status = 200, body = Show), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn show(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<ShowRequest>,
) -> Result<Response, ApiError> {
    let Some(name) = request.model.or(request.name) else {
        return Err(ApiError::invalid("model", "`model`: a name is expected"));
    };
    let model = service.visible(&context).find(&name)?.model;
    let manifest = model.manifest();
    let show = Show {
        license: manifest.license().unwrap_or_default().to_owned(),
        modelfile: "",
        parameters: "",
        template: "",
        details: details(&model),
        model_info: facts(&model),
        capabilities: capabilities(&model, &context),
        modified_at: manifest.created().to_string(),
    };
    Ok(json_response(StatusCode::OK, &show))
}

/// Returns each name with its model, of the models that are up.
async fn named(
    service: &Service,
    context: &Context,
) -> impl Iterator<Item = (String, Model)> + use<> {
    service.look_at_models().await;
    let entries = service.visible(context).entries().into_iter();
    let up = entries.filter(|entry| entry.readiness() == Readiness::Ready);
    up.flat_map(|entry| {
        let model = entry.model();
        let names = entry.names();
        let names: Vec<String> = names.map(|name| with_tag(name)).collect();
        let named = model.map(|model| names.into_iter().map(move |name| (name, model.clone())));
        named.into_iter().flatten().collect::<Vec<_>>()
    })
}

/// Returns the full form of a name: with the tag `latest` if it has no tag.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

fn tag(name: String, model: &Model) -> Tag {
    let manifest = model.manifest();
    let files = std::iter::once(manifest.component()).chain(manifest.files());
    Tag {
        model: name.clone(),
        name,
        modified_at: manifest.created().to_string(),
        size: files.map(|file| file.size().bytes()).sum(),
        digest: model.manifest_digest().to_string(),
        details: details(model),
    }
}

fn details(model: &Model) -> Details {
    let family = model.info().architecture.clone();
    Details {
        parent_model: "",
        format: "wasm",
        families: vec![family.clone()],
        family,
        parameter_size: "",
        quantization_level: "",
    }
}

fn shared_bytes(model: &Model) -> u64 {
    let snapshot = match model.sandbox_start() {
        SandboxStart::Snapshot { memory } => memory.bytes(),
        _ => 0,
    };
    snapshot.saturating_add(model.packed_bytes().bytes())
}

fn capabilities(model: &Model, context: &Context) -> Vec<&'static str> {
    let tasks = context.tasks_of(model);
    let does = |task| tasks.contains(&task);
    let sees = Properties::of(model.info()).sees_pictures();
    let words = [
        ("completion", does(Task::TextGeneration)),
        ("vision", does(Task::TextGeneration) && sees),
        ("embedding", does(Task::TextEmbedding)),
    ];
    let offered = words.into_iter().filter(|(_, is_offered)| *is_offered);
    offered.map(|(word, _)| word).collect()
}

/// Returns the model's facts, by the keys that clients look for and by our own.
fn facts(model: &Model) -> BTreeMap<String, Value> {
    let manifest = model.manifest();
    let architecture = &model.info().architecture;
    let mut facts = BTreeMap::from([
        (
            "general.architecture".to_owned(),
            Value::from(architecture.as_str()),
        ),
        ("general.basename".to_owned(), Value::from(manifest.name())),
        (
            "ampoule.publisher".to_owned(),
            Value::from(manifest.publisher()),
        ),
        (
            "ampoule.version".to_owned(),
            Value::from(manifest.version().to_string()),
        ),
        (
            "ampoule.release".to_owned(),
            Value::from(manifest.release()),
        ),
        (
            "ampoule.manifest_sha256".to_owned(),
            Value::from(model.manifest_digest().to_string()),
        ),
    ]);
    let properties = Properties::of(model.info());
    let dimensions = properties.dimensions().map(|length| length as u64);
    for (theirs, value) in [
        ("context_length", properties.max_tokens()),
        ("embedding_length", dimensions),
    ] {
        if let Some(value) = value {
            facts.insert(format!("{architecture}.{theirs}"), Value::from(value));
        }
    }
    for (key, value) in &model.info().properties {
        facts.insert(key.clone(), Value::from(value.as_str()));
    }
    facts
}
