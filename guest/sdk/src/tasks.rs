//! The tasks: one trait each. A model implements those that it serves and names them in
//! [`export_model!`](crate::export_model).

use crate::bindings::{
    image_classifier, image_embedder, text_embedder, text_generator, text_tokenizer,
};
use crate::{Error, Image, Model};

pub use image_classifier::exports::ampoule::model::image_classification::Label;
pub use image_embedder::exports::ampoule::model::image_embedding::Embeddings as ImageEmbeddings;
pub use text_embedder::exports::ampoule::model::text_embedding::Embeddings;
pub use text_generator::exports::ampoule::model::text_generation::{
    Chunk, Content, Finish, GenerationRequest, Message, Sampling,
};
pub use text_tokenizer::exports::ampoule::model::text_tokenization::Tokens;

/// Text in, token ids out.
pub trait TextTokenization: Model {
    /// Tokenizes each text on its own, into exactly the ids that the model's other text tasks
    /// work on. The answer has one entry a text, in order.
    ///
    /// # Errors
    ///
    /// `input.*`.
    fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error>;
}

/// Text in, one vector a text out.
pub trait TextEmbedding: Model {
    /// Embeds each text on its own: the answer must not depend on what else is in the batch.
    ///
    /// # Errors
    ///
    /// `input.*`.
    fn embed(&self, texts: &[String]) -> Result<Embeddings, Error>;
}

/// Pictures in, one vector a picture out.
pub trait ImageEmbedding: Model {
    /// Embeds each picture on its own.
    ///
    /// # Errors
    ///
    /// `input.*`, such as `input.image` when the bytes are no picture that it can decode.
    fn embed(&self, images: &[Image]) -> Result<ImageEmbeddings, Error>;
}

/// A picture in, labels out.
pub trait ImageClassification: Model {
    /// The `top_k` labels that fit best, the likeliest first; fewer where the model knows fewer.
    ///
    /// # Errors
    ///
    /// `input.*`.
    fn classify(&self, image: Image, top_k: u32) -> Result<Vec<Label>, Error>;
}

/// Messages in, text out, a piece at a time.
pub trait TextGeneration: Model {
    /// What one generation in progress holds: the tokens so far, caches, the sampler.
    ///
    /// It holds no reference to the model, which every call gets besides.
    type Generation: 'static;

    /// Starts a generation.
    ///
    /// # Errors
    ///
    /// `input.*`.
    fn generate(&self, request: GenerationRequest) -> Result<Self::Generation, Error>;

    /// The next chunk of it, or none once the last one, which carries the
    /// [`finish`](Chunk::finish), was returned.
    ///
    /// Limits apply between two calls, so a chunk should be as little as the model can say: one
    /// token, or as many as make a whole character.
    ///
    /// # Errors
    ///
    /// `input.*` or `model.*`. The generation is then over, and this is not called again for it.
    fn next(&self, generation: &mut Self::Generation) -> Result<Option<Chunk>, Error>;
}
