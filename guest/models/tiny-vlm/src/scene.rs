//! Two heads on the visual features: the picture as one vector, and the labels that fit it.

use ampoule_guest::{Error, Label};
use ampoule_kernels::{Scratch, add, gelu};
use ampoule_nn::{Linear, Weights, finite, scale_to_unit_length, sigmoid};

use crate::config::Config;

/// The heads.
pub(crate) struct SceneHeads {
    hidden: usize,
    dimensions: usize,
    embedding: Linear,
    labels: Linear,
    names: Vec<String>,
}

impl SceneHeads {
    /// Reads the weights.
    ///
    /// # Errors
    ///
    /// `model.weights` when a tensor is missing or has another shape than `config` says; `asset.*`.
    pub(crate) fn load(source: &Weights<'_>, config: &Config) -> Result<Self, Error> {
        let (hidden, dimensions) = (config.hidden_size, config.embedding_dimensions);
        Ok(SceneHeads {
            hidden,
            dimensions,
            embedding: Linear::load(source, &["scene.embedding"], [dimensions, 2 * hidden])?,
            labels: Linear::load(source, &["scene.labels"], [config.labels.len(), dimensions])?,
            names: config.labels.clone(),
        })
    }

    /// Returns the length of an embedding.
    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Returns the embedding of a picture with these visual features `[tokens, hidden]`: a vector
    /// `[dimensions]` of length 1.
    ///
    /// # Errors
    ///
    /// `model.weights` when they give an infinity or NaN.
    pub(crate) fn embed(&self, features: &[f32]) -> Result<Vec<f32>, Error> {
        let mut embedding = self.project(features)?;
        scale_to_unit_length(&mut embedding);
        Ok(embedding)
    }

    /// Returns all labels, the likeliest first. Each has a score of its own: several may fit, or none.
    ///
    /// # Errors
    ///
    /// As for [`embed`](SceneHeads::embed).
    pub(crate) fn labels(&self, features: &[f32]) -> Result<Vec<Label>, Error> {
        let mut embedding = self.project(features)?;
        gelu(&mut embedding);
        let mut scores = Vec::new();
        self.labels
            .apply(&embedding, &mut scores, &mut Scratch::default());
        finite(&scores)?;
        let mut labels: Vec<Label> = self
            .names
            .iter()
            .zip(scores)
            .map(|(name, score)| Label {
                name: name.clone(),
                score: sigmoid(score),
            })
            .collect();
        // Stable: where scores are equal, the order of the configuration.
        labels.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(labels)
    }

    /// Returns the embedding before it is scaled.
    fn project(&self, features: &[f32]) -> Result<Vec<f32>, Error> {
        let mut pooled = vec![0.0; self.hidden];
        let mut largest = vec![f32::NEG_INFINITY; self.hidden];
        for row in features.chunks_exact(self.hidden) {
            add(&mut pooled, row);
            for (largest, &value) in largest.iter_mut().zip(row) {
                *largest = largest.max(value);
            }
        }
        let tokens = (features.len() / self.hidden) as f32;
        for value in &mut pooled {
            *value /= tokens;
        }
        pooled.extend(largest);
        let mut embedding = Vec::new();
        self.embedding
            .apply(&pooled, &mut embedding, &mut Scratch::default());
        finite(&embedding)?;
        Ok(embedding)
    }
}
