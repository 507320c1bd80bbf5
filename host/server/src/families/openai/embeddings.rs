//! Vectors: `/v1/embeddings`.

use ampoule::{Task, Usage};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::embedding::{self, Embeddings};
use crate::core::picture;
use crate::error::ApiError;
use crate::families::openai::error::ErrorBody;
use crate::http::body::Json;
use crate::http::context::Context;
use crate::http::json::json_response;
use crate::service::Service;

/// A request for vectors. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiEmbeddingsRequest)]
pub(crate) struct Request {
    model: String,
    input: Input,
    /// `float` or `base64`: little-endian 32-bit floats.
    encoding_format: Option<String>,
    /// Number of values of each vector.
    dimensions: Option<u64>,
}

/// A text, a list of texts, or, for models that embed pictures, `data:` addresses of pictures. Lists of token ids are
/// refused: they would be those of another model's tokenizer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OpenAiEmbeddingsInput)]
pub(crate) enum Input {
    One(String),
    Many(Vec<Item>),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OpenAiEmbeddingsItem)]
pub(crate) enum Item {
    Text(String),
    #[schema(value_type = Object)]
    Other(serde_json::Value),
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
    let inputs = texts_of(request.input, service.settings().texts)?;
    let model = service.call(&request.model, &context)?;
    let mut embeddings = if model.tasks().contains(&Task::ImageEmbedding)
        && !model.tasks().contains(&Task::TextEmbedding)
    {
        let images = inputs
            .iter()
            .map(|input| picture::from_data_url(input, "input", service.host().limits()));
        let images = images.collect::<Result<_, _>>()?;
        embedding::images(&model, &context, images).await?
    } else {
        embedding::texts(&model, &context, &inputs).await?
    };
    shorten(&mut embeddings, request.dimensions)?;
    let data = embeddings
        .vectors()
        .enumerate()
        .map(|(index, vector)| Vector {
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

/// Returns the texts of an input.
fn texts_of(input: Input, most: usize) -> Result<Vec<String>, ApiError> {
    let items = match input {
        Input::One(text) => return Ok(vec![text]),
        Input::Many(items) => items,
    };
    if items.is_empty() {
        return Err(ApiError::invalid(
            "input",
            "`input`: at least one text is expected, and the list is empty",
        ));
    }
    if items.len() > most {
        let message = format!(
            "`input`: {} texts found, {most} allowed; send them in several requests",
            items.len()
        );
        return Err(ApiError::invalid("input", message));
    }
    let text = |item| match item {
        Item::Text(text) => Ok(text),
        Item::Other(serde_json::Value::Number(_) | serde_json::Value::Array(_)) => {
            Err(ApiError::invalid(
                "input",
                "`input`: texts are expected, and token ids were found, which are those of another model's tokenizer; \
             LangChain sends texts with check_embedding_ctx_length=False",
            ))
        }
        Item::Other(_) => Err(ApiError::invalid("input", "`input`: texts are expected")),
    };
    items.into_iter().map(text).collect()
}

/// Checks the asked-for number of values. No model here says yet that its vectors may be cut.
fn shorten(embeddings: &mut Embeddings, dimensions: Option<u64>) -> Result<(), ApiError> {
    let own = embeddings.dimensions as u64;
    match dimensions {
        Some(asked) if asked != own => {
            let message = format!(
                "`dimensions`: this model's vectors have {own} values, and cannot be cut to {asked}"
            );
            Err(ApiError::invalid("dimensions", message))
        }
        _ => Ok(()),
    }
}
