//! The families of routes, each with its own form of answers and errors over one typed core.

pub(crate) mod inference;
pub(crate) mod native;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod openapi;
pub(crate) mod plain;
pub(crate) mod tei;

use axum::http::HeaderValue;
use axum::http::header::{HeaderName, RETRY_AFTER};
use axum::response::Response;

use crate::error::ApiError;

/// Tells OpenAI's clients whether to repeat a request. They repeat 408, 409, 429 and each 5xx otherwise.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A family of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// `/v1`: OpenAI's API.
    OpenAi,
    /// `/api`, and `/` for those who do not ask for a page: Ollama's API.
    Ollama,
    /// `/v2`: the Open Inference Protocol, version 2, as KServe and Triton speak it.
    Inference,
    /// `/embed` and its like: the API of text-embeddings-inference.
    Tei,
    /// `/ampoule`, and everything else.
    Native,
}

impl Family {
    /// Returns the family of a path, whether or not there is such a route.
    pub(crate) fn of(path: &str) -> Self {
        let first = path.split('/').find(|part| !part.is_empty());
        match first {
            Some("v1") => Self::OpenAi,
            Some("api") => Self::Ollama,
            Some("v2") => Self::Inference,
            Some("embed" | "tokenize" | "info" | "health") => Self::Tei,
            // TEI's routes that are not here: its clients read the refusal.
            Some("decode" | "embed_all" | "embed_sparse" | "predict" | "rerank" | "similarity") => {
                Self::Tei
            }
            _ => Self::Native,
        }
    }

    /// Returns the name in metrics and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Ollama => "ollama",
            Self::Inference => "inference",
            Self::Tei => "tei",
            Self::Native => "native",
        }
    }

    /// Makes the answer that says an error to this family's clients.
    pub(crate) fn render(self, error: &ApiError) -> Response {
        let mut response = match self {
            Self::OpenAi => openai::error::render(error),
            Self::Ollama => ollama::error::render(error),
            Self::Inference => inference::error::render(error),
            Self::Tei => tei::error::render(error),
            Self::Native => native::error::render(error),
        };
        let headers = response.headers_mut();
        if let Some(seconds) = error.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let retry = if error.is_retryable() {
            "true"
        } else {
            "false"
        };
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(retry));
        response
    }
}
