//! A good guest: the network of the built-in model, compiled as that is, but with its logits for an
//! answer.
//!
//! It wants the model's three files, and a request of two messages: the user's picture and question,
//! and the assistant's answer. Each chunk is one line: the logits of one token of that answer, and last
//! of the token that ends it, when all before it is as it stands there; `vocabulary` decimal numbers with
//! spaces between them, exact.
//!
//! Promise: the sandbox computes what the training framework does. Expected: its logits, to 1e-2.

use ampoule_guest::{
    Assets, Chunk, Content, Error, Finish, GenerationRequest, Model, ModelInfo, TextGeneration,
    Usage,
};
use ampoule_tiny_vlm::TinyVlm;

struct Logits(TinyVlm);

impl Model for Logits {
    fn load(assets: &Assets) -> Result<Self, Error> {
        TinyVlm::load(assets).map(Logits)
    }

    fn describe(&self) -> ModelInfo {
        self.0.describe()
    }
}

impl TextGeneration for Logits {
    /// The chunks to come, the last first.
    type Generation = Vec<Chunk>;

    fn generate(&self, request: GenerationRequest) -> Result<Vec<Chunk>, Error> {
        let (mut image, mut question, mut answer) = (None, String::new(), String::new());
        for message in request.messages {
            for content in message.content {
                match content {
                    Content::Image(its) => image = Some(its),
                    Content::Text(text) if message.role == "user" => question = text,
                    Content::Text(text) => answer = text,
                }
            }
        }
        let image = image
            .ok_or_else(|| Error::new("input.image-missing", "expected a picture, found none"))?;
        let logits = self.0.logits(&image, &question, &answer)?;
        let rows = logits.chunks_exact(self.0.vocabulary());
        let output_tokens = rows.len() as u32;
        let mut finish = Some(Finish {
            reason: "stop".to_owned(),
            usage: Usage {
                input_tokens: 0,
                output_tokens,
            },
        });
        // From the last to the first, so that the last gets the finish.
        let chunks = rows.rev().map(|row| {
            let numbers: Vec<String> = row.iter().map(f32::to_string).collect();
            Chunk {
                text: numbers.join(" ") + "\n",
                finish: finish.take(),
            }
        });
        Ok(chunks.collect())
    }

    fn next(&self, chunks: &mut Vec<Chunk>) -> Result<Option<Chunk>, Error> {
        Ok(chunks.pop())
    }
}

ampoule_guest::export_model!(Logits: TextGeneration);
