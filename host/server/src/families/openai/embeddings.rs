//! Vectors: `/v1/embeddings`.

use ampoule::{Image, Model, Task, Usage};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::core::context_length;
use crate::core::embedding::{self, Demands, Embeddings, LongTexts};
use crate::core::picture;
use crate::core::place::Place;
use crate::core::properties::Properties;
use crate::error::ApiError;
use crate::families::openai::error::ErrorBody;
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::request::context::Context;
use crate::said::{Said, said};
use crate::service::Service;

/// The beginning of a picture's address.
const PICTURE: &str = "data:image/";

/// A request for vectors. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiEmbeddingsRequest)]
pub(crate) struct Request {
    /// Name or alias of a model that embeds texts or pictures.
    model: String,
    #[schema(value_type = Input)]
    input: Value,
    /// `float` for a list of numbers, which is the default, or `base64` for little-endian 32-bit floats.
    #[schema(value_type = Option<Format>)]
    encoding_format: Option<String>,
    /// Number of values of each vector: the model's own, or one that the model names in its property
    /// `embedding.matryoshka-dimensions`.
    #[schema(minimum = 1)]
    dimensions: Option<u64>,
    /// -1, or the number of tokens that the model reads: of a text that is longer, the beginning is embedded. Such a text is
    /// refused otherwise. The field is vLLM's.
    truncate_prompt_tokens: Option<i64>,
}

/// A text, or a list of at least one; for models that embed pictures, `data:` addresses of pictures. Lists of token ids
/// are refused: they would be those of another model's tokenizer.
#[derive(Debug, ToSchema)]
#[schema(as = OpenAiEmbeddingsInput)]
#[allow(dead_code, reason = "it is read by hand, and this describes it")]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, ToSchema)]
#[schema(as = OpenAiEmbeddingsFormat)]
#[allow(dead_code, reason = "it is read by hand, and this describes it")]
#[serde(rename_all = "lowercase")]
enum Format {
    Float,
    Base64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiEmbeddings)]
pub(crate) struct List {
    object: &'static str,
    data: Vec<Vector>,
    model: String,
    usage: TokenCount,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiEmbedding)]
pub(crate) struct Vector {
    object: &'static str,
    index: usize,
    embedding: Values,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OpenAiEmbeddingValues)]
pub(crate) enum Values {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiEmbeddingsUsage)]
pub(crate) struct TokenCount {
    prompt_tokens: u32,
    total_tokens: u32,
}

impl From<Usage> for TokenCount {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input_tokens,
            total_tokens: usage.input_tokens,
        }
    }
}

/// Embeds texts, or pictures for models that embed pictures.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "OpenAI",
    operation_id = "openai_embeddings",
    request_body = Request,
    responses((status = 200, body = List), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn create(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    let is_base64 = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let message = "`encoding_format`: float or base64 is expected";
            return Err(ApiError::invalid("encoding_format", message));
        }
    };
    let (inputs, place) = inputs_of(request.input, service.settings().texts)?;
    let model = service.call(&request.model, &context)?;
    let demands = Demands {
        place,
        dimensions: request.dimensions,
        long_texts: long_texts(request.truncate_prompt_tokens, &model)?,
    };
    let embeddings = embed(&service, &model, &context, inputs, demands).await?;
    let vectors = embeddings.vectors().enumerate();
    let data = vectors.map(|(index, vector)| Vector {
        object: "embedding",
        index,
        embedding: if is_base64 {
            let bytes: Vec<u8> = vector
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            Values::Base64(STANDARD.encode(bytes))
        } else {
            Values::Floats(vector.to_vec())
        },
    });
    let list = List {
        object: "list",
        data: data.collect(),
        model: request.model,
        usage: embeddings.usage.into(),
    };
    Ok(json_response(StatusCode::OK, &list))
}

/// Reads the field for texts that are longer than the model reads. OpenAI's own service refuses them.
fn long_texts(asked: Option<i64>, model: &Model) -> Result<LongTexts, ApiError> {
    let most = Properties::of(model.info()).max_tokens();
    match asked {
        None => Ok(LongTexts::Refuse {
            way_out: ", or send `truncate_prompt_tokens` as -1 to have its beginning embedded",
        }),
        Some(-1) => Ok(LongTexts::Cut),
        Some(asked) if u64::try_from(asked).ok() == most => Ok(LongTexts::Cut),
        Some(_) => Err(ApiError::unsupported(
            "truncate_prompt_tokens",
            "`truncate_prompt_tokens`: -1 is expected, for as many tokens as the model reads; texts are cut to no other length",
        )),
    }
}

/// Returns the texts of an input, with their place.
fn inputs_of(input: Value, most: usize) -> Result<(Vec<String>, Place<'static>), ApiError> {
    let refused = |message: Said| ApiError::invalid("input", said!("`input`: {}", message));
    let items = match input {
        Value::String(text) => return Ok((vec![text], Place::one("input"))),
        Value::Array(items) => items,
        other => {
            let message = said!(
                "a text or a list of texts is expected, and {} was found",
                kind(&other)
            );
            return Err(refused(message));
        }
    };
    if items.is_empty() {
        let message = "at least one text is expected, and the list is empty";
        return Err(refused(message.into()));
    }
    if items.len() > most {
        return Err(refused(said!(
            "{} texts found, {} allowed; send them in several requests",
            items.len(),
            most
        )));
    }
    let text = |item| {
        match item {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => Err(refused(
            "texts are expected, and token ids were found, which are those of another model's tokenizer; LangChain sends \
             texts with check_embedding_ctx_length=False"
                .into(),
        )),
        other => Err(refused(said!("texts are expected, and {} was found", kind(&other)))),
    }
    };
    let texts = items.into_iter().map(text).collect::<Result<_, _>>()?;
    Ok((texts, Place::list("input")))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Embeds inputs as the model can. One that embeds texts and pictures takes either, told apart by the addresses of
/// pictures, and not both in one request: their vectors need not be of one length or comparable.
async fn embed(
    service: &Service,
    model: &Model,
    context: &Context,
    inputs: Vec<String>,
    demands: Demands<'static>,
) -> Result<Embeddings, ApiError> {
    let tasks = context.tasks_of(model);
    let embeds = |task| tasks.contains(&task);
    let pictures = inputs.iter().filter(|input| is_picture(input)).count();
    let are_pictures = match (embeds(Task::TextEmbedding), embeds(Task::ImageEmbedding)) {
        (true, true) if pictures > 0 && pictures < inputs.len() => {
            return Err(ApiError::invalid(
                "input",
                "`input`: texts and pictures in one request; send them in two",
            ));
        }
        (true, true) => pictures > 0,
        (true, false) if pictures > 0 => {
            return Err(ApiError::unsupported(
                "input",
                "`input`: a picture was found, and this model embeds texts alone",
            ));
        }
        (_, embeds_images) => embeds_images,
    };
    let embedded = if are_pictures {
        let (place, of_model) = (demands.place, model.clone());
        let read = service.work_on_body(context, move |_| pictures_of(&inputs, place, &of_model));
        let images = read.await?;
        embedding::images(model, context, images, demands).await
    } else {
        embedding::texts(model, context, &inputs, demands).await
    };
    embedded.map_err(|error| context_length::named(error, model))
}

/// Reads pictures of `data:` addresses.
fn pictures_of(inputs: &[String], place: Place<'_>, model: &Model) -> Result<Vec<Image>, ApiError> {
    let embeds_texts = model.tasks().contains(&Task::TextEmbedding);
    let image = |(index, input): (usize, &String)| {
        let param = place.item(index);
        picture::from_data_url(input, &param, model.limits()).map_err(|mut error| {
            if !embeds_texts && !picture::is_data_url(input) {
                error.message = said!(
                    "{}; this model embeds pictures alone, and no texts",
                    error.message
                );
            }
            error
        })
    };
    inputs.iter().enumerate().map(image).collect()
}

/// Tells whether a text is the address of a picture. Texts that begin with `data:` are texts.
fn is_picture(text: &str) -> bool {
    let text = text.trim_start();
    let start = text.get(..PICTURE.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PICTURE))
}
