//! The family of routes that a request belongs to, by its path.

/// A family of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// `/v1`: OpenAI's API.
    OpenAi,
    /// `/api`, and `/` for those who do not ask for a page: Ollama's API.
    Ollama,
    /// `/v2`: the Open Inference Protocol, version 2, as KServe and Triton speak it.
    Inference,
    /// `/embed` and its like, and `POST /`: the API of text-embeddings-inference.
    Tei,
    /// `/ampoule`, and everything else.
    Native,
}

impl Family {
    /// Returns the family of a request by its first line, whether or not there is such a route.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let first = path.split('/').find(|part| !part.is_empty());
        match first {
            None if method == "POST" => Self::Tei,
            Some("v1") => Self::OpenAi,
            Some("api") => Self::Ollama,
            Some("v2") => Self::Inference,
            Some("embed" | "tokenize" | "info" | "health") => Self::Tei,
            // TEI's routes that are not here: its clients read the refusal.
            Some(
                "decode" | "embed_all" | "embed_sparse" | "invocations" | "predict" | "rerank"
                | "similarity",
            ) => Self::Tei,
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
}
