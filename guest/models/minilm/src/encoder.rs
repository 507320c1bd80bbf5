//! The network: embeddings and layers.

use ampoule_guest::Error;
use ampoule_guest::host_kernels;
use ampoule_kernels::add;
use ampoule_model_files::{error, json_file};
use ampoule_nn::{LayerNorm, Weights};

use crate::config::Config;
use crate::layer::{Layer, LayerWorkspace};

/// Layers that the host takes rows through in one call, at most: the contract limits a call's steps.
const LAYERS_A_CALL: usize = 8;

/// A tensor that every BERT has, by the name that it has without a prefix.
const ANCHOR: &str = "embeddings.word_embeddings.weight";

/// Parts of the names of tensors that belong to an adapter.
const ADAPTERS: [&str; 4] = ["lora_", ".base_layer.", ".adapters.", ".adapter_"];

/// Working memory of [`Encoder::rows`], for reuse by the next text.
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
    /// Reads the weights: the tensors with the names of a BERT, behind any prefix.
    ///
    /// # Errors
    ///
    /// `model.weights` when a tensor is missing or has another shape than `config` says, when the file has more than
    /// one such network, or adapters; `asset.*`.
    pub(crate) fn load(weights: Weights<'_>, config: &Config) -> Result<Self, Error> {
        refuse_adapters(&weights)?;
        let weights = &weights.of_the_network_with(ANCHOR)?;
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

    /// Returns how many bytes of memory the weights take.
    pub(crate) fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// Returns the number of tokens.
    pub(crate) fn vocabulary(&self) -> usize {
        self.words.len() / self.hidden
    }

    /// Returns the last layer's rows `[tokens, hidden]` of a text of at most as many tokens as there are positions.
    ///
    /// # Errors
    ///
    /// `input.empty` when there is no token; `model.tokenizer` when a token has no embedding.
    pub(crate) fn rows<'a>(
        &self,
        ids: &[u32],
        workspace: &'a mut Workspace,
    ) -> Result<&'a [f32], Error> {
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
        Ok(x)
    }

    /// Makes the input rows of the first layer.
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
}

/// Refuses weights that an adapter would still have to be added to.
fn refuse_adapters(weights: &Weights<'_>) -> Result<(), Error> {
    for name in weights.names() {
        if let Some(part) = ADAPTERS.iter().find(|part| name.contains(*part)) {
            return Err(error::weights(format!(
                "`model.safetensors` has the tensor `{}`; `{part}` is an adapter's, which was not merged into the \
                 weights: merge it and save again",
                json_file::quoted(&name)
            )));
        }
    }
    Ok(())
}
