//! A BERT of a few hundred weights, made up, with dimensions that no kernel likes.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

pub(crate) mod definition;

use std::collections::BTreeMap;

use ampoule_guest::{Assets, Error, Model as _};
pub(crate) use ampoule_guest_testing::safetensors::{self, Format, Tensors};
use ampoule_guest_testing::{numbers, tokenizer_json};
use ampoule_minilm::BertEmbedder;
use serde_json::{Value, json};

pub(crate) const HIDDEN: usize = 6;
pub(crate) const HEADS: usize = 2;
pub(crate) const INTERMEDIATE: usize = 11;
pub(crate) const LAYERS: usize = 2;
pub(crate) const POSITIONS: usize = 9;
pub(crate) const VOCABULARY: [&str; 12] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "model", "in", "box", "##es", "sand", "##box", ".",
];
pub(crate) const EPSILON: f64 = 1e-5;

/// The files of a bundle, before they are written.
pub(crate) struct TinyBert {
    pub(crate) config: Value,
    pub(crate) tokenizer: Value,
    pub(crate) tensors: Tensors,
    pub(crate) format: Format,
    pub(crate) prefix: &'static str,
    /// Files beside those three, by their paths.
    pub(crate) more: BTreeMap<String, Vec<u8>>,
}

impl TinyBert {
    pub(crate) fn new() -> Self {
        TinyBert {
            config: json!({
                "architectures": ["BertModel"],
                "hidden_act": "gelu",
                "hidden_size": HIDDEN,
                "intermediate_size": INTERMEDIATE,
                "layer_norm_eps": EPSILON,
                "max_position_embeddings": POSITIONS,
                "model_type": "bert",
                "num_attention_heads": HEADS,
                "num_hidden_layers": LAYERS,
                "position_embedding_type": "absolute",
                "type_vocab_size": 2,
                "vocab_size": VOCABULARY.len(),
            }),
            tokenizer: tokenizer(),
            tensors: tensors(),
            format: Format::F32,
            prefix: "",
            more: BTreeMap::new(),
        }
    }

    /// The files by name.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::from([
            (
                "config.json".to_owned(),
                self.config.to_string().into_bytes(),
            ),
            (
                "tokenizer.json".to_owned(),
                self.tokenizer.to_string().into_bytes(),
            ),
            ("model.safetensors".to_owned(), self.safetensors()),
        ]);
        files.extend(self.more.clone());
        files
    }

    /// Adds one more file of settings.
    pub(crate) fn with(mut self, name: &str, settings: &Value) -> Self {
        self.more
            .insert(name.to_owned(), settings.to_string().into_bytes());
        self
    }

    /// Adds `modules.json`: the transformer, pooling by `1_Pooling/config.json`, and these, each in the folder
    /// that it has in sentence-transformers.
    pub(crate) fn with_modules(self, pooling: &Value, rest: &[&str]) -> Self {
        let names = ["Transformer", "Pooling"].iter().chain(rest);
        let modules: Vec<Value> = names
            .enumerate()
            .map(|(index, name)| {
                let path = if index == 0 {
                    String::new()
                } else {
                    format!("{index}_{name}")
                };
                let class = format!("sentence_transformers.models.{name}");
                json!({"idx": index, "name": index.to_string(), "path": path, "type": class})
            })
            .collect();
        self.with("modules.json", &json!(modules))
            .with("1_Pooling/config.json", pooling)
    }

    /// Renames the tensors.
    pub(crate) fn renamed(mut self, rename: impl Fn(&str) -> String) -> Self {
        self.tensors = std::mem::take(&mut self.tensors)
            .into_iter()
            .map(|(name, tensor)| (rename(&name), tensor))
            .collect();
        self
    }

    pub(crate) fn load(&self) -> Result<BertEmbedder, Error> {
        load(self.files())
    }

    fn safetensors(&self) -> Vec<u8> {
        let prefixed = self.tensors.iter().map(|(name, tensor)| {
            let name = format!("{}{name}", self.prefix);
            (name, tensor.clone())
        });
        safetensors::file(&prefixed.collect(), self.format)
    }
}

pub(crate) fn load(files: BTreeMap<String, Vec<u8>>) -> Result<BertEmbedder, Error> {
    BertEmbedder::load(&Assets::from_source(files))
}

/// With settings for padding and truncation that the guest must ignore.
fn tokenizer() -> Value {
    let vocabulary: BTreeMap<&str, usize> = VOCABULARY
        .iter()
        .enumerate()
        .map(|(id, &token)| (token, id))
        .collect();
    let special = tokenizer_json::special_token;
    json!({
        "version": "1.0",
        "truncation": tokenizer_json::truncation(),
        "padding": tokenizer_json::padding("[PAD]"),
        "added_tokens": [
            special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]"),
        ],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": tokenizer_json::template(&[("[CLS]", 2)], &[("[SEP]", 3)]),
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    })
}

fn tensors() -> Tensors {
    let mut tensors = Tensors::new();
    let mut seed = 0;
    let mut add = |name: String, shape: &[usize]| {
        seed += 1;
        let values = numbers(shape.iter().product(), seed);
        tensors.insert(name, (shape.to_vec(), values));
    };
    let mut linear = |name: &str, outputs: usize, inputs: usize| {
        add(format!("{name}.weight"), &[outputs, inputs]);
        add(format!("{name}.bias"), &[outputs]);
    };
    for layer in 0..LAYERS {
        let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
        for part in ["query", "key", "value"] {
            linear(&name(&format!("attention.self.{part}")), HIDDEN, HIDDEN);
        }
        linear(&name("attention.output.dense"), HIDDEN, HIDDEN);
        linear(&name("intermediate.dense"), INTERMEDIATE, HIDDEN);
        linear(&name("output.dense"), HIDDEN, INTERMEDIATE);
    }
    let mut norm = |name: &str| {
        add(format!("{name}.weight"), &[HIDDEN]);
        add(format!("{name}.bias"), &[HIDDEN]);
    };
    norm("embeddings.LayerNorm");
    for layer in 0..LAYERS {
        norm(&format!("encoder.layer.{layer}.attention.output.LayerNorm"));
        norm(&format!("encoder.layer.{layer}.output.LayerNorm"));
    }
    add(
        "embeddings.word_embeddings.weight".to_owned(),
        &[VOCABULARY.len(), HIDDEN],
    );
    add(
        "embeddings.position_embeddings.weight".to_owned(),
        &[POSITIONS, HIDDEN],
    );
    add(
        "embeddings.token_type_embeddings.weight".to_owned(),
        &[2, HIDDEN],
    );
    tensors
}
