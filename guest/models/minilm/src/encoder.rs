//! The network: embeddings, layers, and the mean of what comes out.

use ampoule_guest::Error;
use ampoule_guest::host_kernels;
use ampoule_kernels::add;
use ampoule_nn::{LayerNorm, Weights, error, finite};

use crate::config::Config;
use crate::layer::{Layer, LayerWorkspace};

/// Layers that the host takes rows through before they come back, at most. What goes along with a call is limited.
const LAYERS_A_CALL: usize = 8;

/// The memory that [`Encoder::embed`] works in, to be used again for the next text.
#[derive(Default)]
pub(crate) struct Workspace {
    /// A row a token, `[tokens, hidden]`.
    x: Vec<f32>,
    layer: LayerWorkspace,
}

/// A BERT encoder.
pub(crate) struct Encoder {
    hidden: usize,
    /// `[vocabulary, hidden]`.
    words: Vec<f32>,
    /// `[positions, hidden]`, each with the embedding of segment 0 added: all of a text is one
    /// segment.
    positions: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
    weight_bytes: usize,
}

impl Encoder {
    /// Reads the weights.
    ///
    /// # Errors
    ///
    /// `model.weights` when a tensor is missing or has another shape than `config` says;
    /// `asset.*`.
    pub(crate) fn load(weights: Weights<'_>, config: &Config) -> Result<Self, Error> {
        let weights = &encoder_within(weights)?;
        let hidden = config.hidden_size;
        let table = |name: &str, rows: usize| {
            weights.tensor(
                &format!("embeddings.{name}_embeddings.weight"),
                &[rows, hidden],
            )
        };
        let segments = table("token_type", config.type_vocab_size)?;
        let mut positions = table("position", config.max_position_embeddings)?;
        for position in positions.chunks_exact_mut(hidden) {
            add(position, &segments[..hidden]);
        }
        Ok(Encoder {
            hidden,
            words: table("word", config.vocab_size)?,
            positions,
            norm: LayerNorm::load(
                weights,
                "embeddings.LayerNorm",
                hidden,
                config.layer_norm_eps,
            )?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(weights, index, config))
                .collect::<Result<_, _>>()?,
            // The last field, so that all of them are counted.
            weight_bytes: weights.bytes(),
        })
    }

    /// The length of an embedding.
    pub(crate) fn dimensions(&self) -> usize {
        self.hidden
    }

    /// How many bytes of memory the weights take.
    pub(crate) fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// How many tokens there are.
    pub(crate) fn vocabulary(&self) -> usize {
        self.words.len() / self.hidden
    }

    /// The embedding of a text, given as at most as many tokens as there are positions: a vector
    /// `[hidden]` of length 1.
    ///
    /// # Errors
    ///
    /// `input.empty` when there is no token; `model.tokenizer` when a token has no embedding;
    /// `model.weights` when they make something that is no number.
    pub(crate) fn embed(&self, ids: &[u32], workspace: &mut Workspace) -> Result<Vec<f32>, Error> {
        if ids.is_empty() {
            return Err(Error::new(
                "input.empty",
                "expected a text of at least one token, found none",
            ));
        }
        self.start(ids, &mut workspace.x)?;
        let Workspace { x, layer: memory } = workspace;
        let steps: Option<Vec<_>> = self.layers.iter().map(Layer::host_steps).collect();
        if let Some(steps) = steps {
            for steps in steps.chunks(LAYERS_A_CALL) {
                *x = host_kernels::apply(&steps.concat(), x);
            }
        } else {
            for layer in &self.layers {
                layer.apply(x, memory);
            }
        }
        self.mean(x)
    }

    /// The rows that the first layer gets.
    fn start(&self, ids: &[u32], x: &mut Vec<f32>) -> Result<(), Error> {
        x.clear();
        for (&id, position) in ids.iter().zip(self.positions.chunks_exact(self.hidden)) {
            let word = self
                .words
                .chunks_exact(self.hidden)
                .nth(id as usize)
                .ok_or_else(|| {
                    error::tokenizer(format!(
                        "expected token ids below {}, found {id}",
                        self.vocabulary()
                    ))
                })?;
            x.extend(
                word.iter()
                    .zip(position)
                    .map(|(word, position)| word + position),
            );
        }
        self.norm.apply(x);
        Ok(())
    }

    /// The mean of the rows, scaled to length 1.
    fn mean(&self, x: &[f32]) -> Result<Vec<f32>, Error> {
        let mut mean = vec![0.0; self.hidden];
        for row in x.chunks_exact(self.hidden) {
            add(&mut mean, row);
        }
        finite(&mean)?;
        // The length of the sum does for that of the mean: both point the same way.
        let length = mean
            .iter()
            .map(|&v| f64::from(v) * f64::from(v))
            .sum::<f64>()
            .sqrt();
        for value in &mut mean {
            *value = (f64::from(*value) / length.max(f64::MIN_POSITIVE)) as f32;
        }
        Ok(mean)
    }
}

/// The encoder's part of the file: all of it, or what is below `bert.` when the encoder was saved as
/// part of a larger model.
fn encoder_within(weights: Weights<'_>) -> Result<Weights<'_>, Error> {
    let anchor = "embeddings.word_embeddings.weight";
    if weights.has(anchor) {
        return Ok(weights);
    }
    let weights = weights.within("bert.");
    if weights.has(anchor) {
        return Ok(weights);
    }
    Err(error::weights(format!(
        "expected a BERT encoder in `model.safetensors`: it has neither `{anchor}` nor \
         `bert.{anchor}`"
    )))
}
