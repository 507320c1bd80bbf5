//! Encoders of any size with random weights, for measurements that depend on the amount of weights alone.

use std::path::Path;

use ampoule_guest_testing::numbers;
use ampoule_guest_testing::safetensors::{self, Format, Tensors};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// The dimensions of an encoder of the BERT family; see `guest/models/minilm`.
#[derive(Clone, Copy)]
pub(crate) struct Dimensions {
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    /// Tokens that have an embedding; the tokenizer knows only a few of them.
    pub(crate) vocabulary: usize,
}

/// Size of an attention head, equal in every encoder of the family.
const HEAD: usize = 32;
const INTERMEDIATE_FACTOR: usize = 4;
const POSITIONS: usize = 256;

/// Small enough that the output of any number of layers is finite.
const SCALE: f32 = 0.05;

const TOKENS: [&str; 6] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", ","];

/// Writes the files of an encoder to a folder.
pub(crate) fn write(dimensions: Dimensions, folder: &Path) -> Result<()> {
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).with_context(|| format!("cannot write {name}"))
    };
    write("config.json", config(dimensions).to_string().as_bytes())?;
    write("tokenizer.json", tokenizer().to_string().as_bytes())?;
    write(
        "model.safetensors",
        &safetensors::file(&tensors(dimensions), Format::F32),
    )
}

fn config(dimensions: Dimensions) -> Value {
    json!({
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": dimensions.hidden,
        "intermediate_size": dimensions.hidden * INTERMEDIATE_FACTOR,
        "num_hidden_layers": dimensions.layers,
        "num_attention_heads": dimensions.hidden / HEAD,
        "max_position_embeddings": POSITIONS,
        "vocab_size": dimensions.vocabulary,
    })
}

/// Makes every word the one unknown token.
fn tokenizer() -> Value {
    let special = |id: usize| {
        json!({
            "id": id, "content": TOKENS[id], "special": true, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false,
        })
    };
    let vocabulary: serde_json::Map<String, Value> = TOKENS
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), json!(id)))
        .collect();
    json!({
        "version": "1.0",
        "added_tokens": [special(0), special(1), special(2), special(3)],
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}},
            ],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            },
        },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    })
}

fn tensors(dimensions: Dimensions) -> Tensors {
    let Dimensions {
        hidden,
        layers,
        vocabulary,
    } = dimensions;
    let intermediate = hidden * INTERMEDIATE_FACTOR;
    let mut tensors = Tensors::new();
    let mut add = |name: &str, shape: &[usize]| {
        let seed = tensors.len() as u64;
        let mut values = numbers(shape.iter().product(), seed);
        for value in &mut values {
            *value *= SCALE;
        }
        tensors.insert(name.to_owned(), (shape.to_vec(), values));
    };
    add("embeddings.word_embeddings.weight", &[vocabulary, hidden]);
    add(
        "embeddings.position_embeddings.weight",
        &[POSITIONS, hidden],
    );
    add("embeddings.token_type_embeddings.weight", &[2, hidden]);
    let mut linears = Vec::new();
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..layers {
        let name = |rest: &str| format!("encoder.layer.{layer}.{rest}");
        for part in [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
        ] {
            linears.push((name(part), hidden, hidden));
        }
        linears.push((name("intermediate.dense"), intermediate, hidden));
        linears.push((name("output.dense"), hidden, intermediate));
        norms.extend([name("attention.output.LayerNorm"), name("output.LayerNorm")]);
    }
    for (name, outputs, inputs) in linears {
        add(&format!("{name}.weight"), &[outputs, inputs]);
        add(&format!("{name}.bias"), &[outputs]);
    }
    for name in norms {
        add(&format!("{name}.weight"), &[hidden]);
        add(&format!("{name}.bias"), &[hidden]);
    }
    tensors
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_has_the_weights_that_its_configuration_speaks_of() {
        let dimensions = Dimensions {
            hidden: 64,
            layers: 2,
            vocabulary: 10,
        };
        let (config, tensors) = (config(dimensions), tensors(dimensions));
        assert_eq!(config["num_attention_heads"], 2);
        let shape = |name: &str| tensors[name].0.clone();
        assert_eq!(shape("embeddings.word_embeddings.weight"), [10, 64]);
        assert_eq!(shape("encoder.layer.1.output.dense.weight"), [64, 256]);
        assert_eq!(shape("encoder.layer.1.intermediate.dense.bias"), [256]);
        // Three tables, six linear layers and two norms a layer, and one norm before them.
        assert_eq!(tensors.len(), 3 + 2 * (6 + 2) * 2 + 2);
        let folder = tempfile::tempdir().unwrap();
        write(dimensions, folder.path()).unwrap();
        let file = std::fs::read(folder.path().join("model.safetensors")).unwrap();
        let numbers: usize = tensors.values().map(|(_, values)| values.len()).sum();
        assert!(file.len() > 4 * numbers);
    }
}
