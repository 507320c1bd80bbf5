//! Sentence vectors, one request at a time.

use std::time::Instant;

use ampoule::Model;
use anyhow::{Result, ensure};
use bench_engine::{Embed, Signed};
use tokio::runtime::Runtime;

use crate::milliseconds;

/// An encoder, and the request.
pub(crate) struct Embeddings {
    model: Model,
    pub(crate) bundle: Signed,
    pub(crate) threads: usize,
    texts: Vec<String>,
    /// Number of tokens of all texts.
    tokens: usize,
}

impl Embeddings {
    pub(crate) fn new(model: Model, threads: usize, embed: Embed) -> Self {
        Self {
            model,
            bundle: embed.bundle,
            threads,
            tokens: embed.ids.iter().map(Vec::len).sum(),
            texts: embed.texts,
        }
    }

    /// Returns the same request to another model.
    pub(crate) fn of(&self, model: Model) -> Self {
        Self {
            model,
            bundle: self.bundle.clone(),
            texts: self.texts.clone(),
            ..*self
        }
    }

    /// Returns the vectors, if the model counts as many tokens as every other engine gets.
    pub(crate) fn checked(&self, runtime: &Runtime) -> Result<Vec<f32>> {
        let answer = runtime.block_on(self.model.embed_text(&self.texts))?.output;
        let tokens = answer.usage.input_tokens as usize;
        ensure!(
            tokens == self.tokens,
            "expected texts of {} tokens in all, found {tokens}",
            self.tokens
        );
        Ok(answer.values)
    }

    /// Asks once; returns the milliseconds.
    pub(crate) fn run(&self, runtime: &Runtime) -> Result<f64> {
        let began = Instant::now();
        runtime.block_on(self.model.embed_text(&self.texts))?;
        Ok(milliseconds(began.elapsed()))
    }

    /// Asks `times` times, with `at_once` requests at once; returns the milliseconds in all.
    pub(crate) fn together(&self, runtime: &Runtime, times: usize, at_once: usize) -> Result<f64> {
        let began = Instant::now();
        std::thread::scope(|scope| {
            let callers: Vec<_> = (1..at_once)
                .map(|_| {
                    scope.spawn(|| {
                        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
                        self.ask(&runtime, times)
                    })
                })
                .collect();
            self.ask(runtime, times)?;
            for caller in callers {
                match caller.join() {
                    Ok(asked) => asked?,
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            anyhow::Ok(())
        })?;
        Ok(milliseconds(began.elapsed()))
    }

    fn ask(&self, runtime: &Runtime, times: usize) -> Result<()> {
        for _ in 0..times {
            runtime.block_on(self.model.embed_text(&self.texts))?;
        }
        Ok(())
    }
}
