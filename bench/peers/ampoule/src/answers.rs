//! Answers about a picture, from the built-in model.

use std::time::Instant;

use ampoule::{Content, GenerationRequest, Image, Model, PublicKey, TrustStore};
use anyhow::{Context as _, Result, ensure};
use bench_engine::{BuiltIn, Generate, Timed};
use tokio::runtime::Runtime;

use crate::milliseconds;

/// Limit of tokens, above the answer's.
const MAX_TOKENS: u32 = 64;

/// The model, and the request.
pub(crate) struct Answers {
    model: Model,
    request: GenerationRequest,
    timed: Timed,
}

/// Trusts the built-in model's publisher for that model alone, as the command does.
pub(crate) fn trust(bundle: &BuiltIn) -> Result<TrustStore> {
    let key = PublicKey::from_pem(&std::fs::read_to_string(&bundle.key).context("the key")?)?;
    let mut trust = TrustStore::new();
    trust.insert_model(key, "ampoule", "tiny-vlm")?;
    Ok(trust)
}

impl Answers {
    pub(crate) fn new(model: Model, generate: &Generate) -> Result<Self> {
        let picture = std::fs::read(&generate.picture).context("the picture")?;
        let mut request = GenerationRequest::question(&generate.prompt, MAX_TOKENS);
        if let Some(message) = request.messages.first_mut() {
            message
                .content
                .insert(0, Content::Image(Image::Encoded(picture)));
        }
        Ok(Self {
            model,
            request,
            timed: generate.timed,
        })
    }

    /// Asks once; returns the milliseconds to the first text, or of a step after it.
    pub(crate) fn run(&self, runtime: &Runtime) -> Result<f64> {
        runtime.block_on(self.ask())
    }

    async fn ask(&self) -> Result<f64> {
        let began = Instant::now();
        let mut generation = self.model.generate(self.request.clone()).await?;
        let mut first = None;
        while let Some(chunk) = generation.next().await? {
            if first.is_none() && !chunk.text.is_empty() {
                first = Some(Instant::now());
                if self.timed == Timed::FirstToken {
                    break;
                }
            }
            if let Some(finish) = chunk.finish {
                let first = first.context("the answer has no text")?;
                // The end is computed like any token, and the first one before `first`.
                ensure!(finish.reason == "stop", "the answer was cut short");
                let steps = finish.usage.output_tokens;
                ensure!(steps > 0, "the answer has one token");
                return Ok(milliseconds(first.elapsed()) / f64::from(steps));
            }
        }
        let first = first.context("the answer has no text")?;
        Ok(milliseconds(first - began))
    }
}
