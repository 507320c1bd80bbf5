//! The language model: visual tokens and text in, the logits of the next token out.
//!
//! The decoder's rows are the text's. In every layer each row sees the text up to itself and the picture's visual
//! tokens. These are the same in all layers: the decoder does not transform them, so that a colour and a shape stay
//! apart until a question joins them.

use ampoule_guest::Error;
use ampoule_kernels::{Epilogue, MatrixMut, MatrixRef, PackedMatrix, add, linear};
use ampoule_model_files::error;
use ampoule_nn::{FeedForward, KeyValueCache, LayerNorm, Weights, finite};

use crate::config::Config;
use crate::transformer::{Layer, LayerWorkspace, Sight};

/// The text that the decoder has read so far.
#[derive(Default)]
pub(crate) struct DecoderState {
    /// One a layer.
    caches: Vec<KeyValueCache>,
    /// Tokens of text that were read.
    text_tokens: usize,
}

/// The projector and the decoder.
pub(crate) struct Decoder {
    hidden: usize,
    /// From visual features to visual tokens.
    projector: FeedForward,
    /// `[vocabulary, hidden]`: the rows of tokens, and the last layer's weights.
    embedding: PackedMatrix,
    /// `[text positions, hidden]`.
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

impl Decoder {
    /// Reads the weights.
    ///
    /// # Errors
    ///
    /// `model.weights` when a tensor is missing or has another shape than `config` says; `asset.*`.
    pub(crate) fn load(source: &Weights<'_>, config: &Config) -> Result<Self, Error> {
        let hidden = config.hidden_size;
        Ok(Decoder {
            hidden,
            projector: FeedForward::load(
                source,
                ["projector.up", "projector.down"],
                hidden,
                hidden,
            )?,
            embedding: source.packed(
                &["decoder.embedding.weight".to_owned()],
                &[config.vocab_size, hidden],
            )?,
            positions: source.tensor("decoder.positions", &[config.max_text_positions, hidden])?,
            layers: (0..config.decoder_layers)
                .map(|index| Layer::load(source, &format!("decoder.layers.{index}"), config))
                .collect::<Result<_, _>>()?,
            norm: LayerNorm::load(source, "decoder.norm", hidden, config.layer_norm_eps)?,
        })
    }

    /// Returns the number of tokens in the vocabulary.
    pub(crate) fn vocabulary(&self) -> usize {
        self.embedding.outputs()
    }

    /// Returns how many tokens of text can be read.
    pub(crate) fn max_text_tokens(&self) -> usize {
        self.positions.len() / self.hidden
    }

    /// Tells whether one more token of text can be read.
    pub(crate) fn has_room(&self, state: &DecoderState) -> bool {
        state.text_tokens < self.max_text_tokens()
    }

    /// Reads a picture, by its visual features `[visual tokens, hidden]`, and the text that comes
    /// first, all at once. Returns the state after it and the rows of the last `last` tokens of the text,
    /// `[last, hidden]`.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when a token has no embedding.
    pub(crate) fn prefill(
        &self,
        features: &[f32],
        text: &[u32],
        last: usize,
        workspace: &mut LayerWorkspace,
    ) -> Result<(DecoderState, Vec<f32>), Error> {
        let mut visual = Vec::new();
        self.projector.apply(
            features,
            &mut visual,
            &mut workspace.feed_forward,
            &mut workspace.scratch,
        );
        let mut state = DecoderState::default();
        for layer in &self.layers {
            let mut cache = KeyValueCache::default();
            layer.show(&visual, &mut cache, workspace);
            state.caches.push(cache);
        }
        let mut x = Vec::new();
        self.embed(text, &mut state, &mut x)?;
        self.read(&mut x, &mut state, workspace);
        let rows = x.split_off(x.len() - last * self.hidden);
        Ok((state, rows))
    }

    /// Reads one more token of text. Returns its row, `[hidden]`.
    ///
    /// # Errors
    ///
    /// As for [`prefill`](Decoder::prefill).
    pub(crate) fn step(
        &self,
        token: u32,
        state: &mut DecoderState,
        workspace: &mut LayerWorkspace,
    ) -> Result<Vec<f32>, Error> {
        let mut x = Vec::new();
        self.embed(&[token], state, &mut x)?;
        self.read(&mut x, state, workspace);
        Ok(x)
    }

    /// Returns the logits `[rows, vocabulary]` of the token after each of the rows `[rows, hidden]`.
    ///
    /// # Errors
    ///
    /// `model.weights` when one is no number.
    pub(crate) fn logits(
        &self,
        mut rows: Vec<f32>,
        workspace: &mut LayerWorkspace,
    ) -> Result<Vec<f32>, Error> {
        self.norm.apply(&mut rows);
        let count = rows.len() / self.hidden;
        let mut logits = vec![0.0; count * self.vocabulary()];
        linear(
            MatrixRef::new(&rows, count, self.hidden),
            &self.embedding,
            None,
            Epilogue::STORE,
            &mut MatrixMut::new(&mut logits, count, self.vocabulary()),
            &mut workspace.scratch,
        );
        finite(&logits)?;
        Ok(logits)
    }

    /// Appends the rows of tokens at their positions.
    fn embed(&self, text: &[u32], state: &mut DecoderState, x: &mut Vec<f32>) -> Result<(), Error> {
        for &id in text {
            let start = x.len();
            x.resize(start + self.hidden, 0.0);
            if id as usize >= self.vocabulary() {
                return Err(error::tokenizer(format!(
                    "expected token ids below {}, found {id}",
                    self.vocabulary()
                )));
            }
            self.embedding.unpack(id as usize, &mut x[start..]);
            let position = state.text_tokens * self.hidden;
            add(
                &mut x[start..],
                &self.positions[position..position + self.hidden],
            );
            state.text_tokens += 1;
        }
        Ok(())
    }

    /// Takes new rows through all layers.
    fn read(&self, x: &mut [f32], state: &mut DecoderState, workspace: &mut LayerWorkspace) {
        for (layer, cache) in self.layers.iter().zip(&mut state.caches) {
            layer.apply(x, Sight::Causal(cache), workspace);
        }
    }
}
