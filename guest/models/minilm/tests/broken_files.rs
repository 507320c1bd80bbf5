//! Files that are wrong get one clear error each, and never a panic.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_bert;

use ampoule_guest::Error;
use ampoule_guest_testing::broken_files::{self, Files, Refusal};
use serde_json::{Value, json};
use tiny_bert::{TinyBert, load};

#[track_caller]
fn refused(tiny: &TinyBert) -> Error {
    tiny.load().err().unwrap()
}

/// Tells why the model does not take these files.
fn refusal(files: Files) -> Option<Refusal> {
    let Error { code, message } = load(files).err()?;
    Some(Refusal { code, message })
}

#[test]
fn a_missing_file_is_named() {
    broken_files::assert_missing_files_are_named(&TinyBert::new().files(), refusal);
}

#[test]
fn a_configuration_that_this_guest_cannot_serve_is_refused() {
    let settings = [
        ("hidden_act", json!("gelu_new")),
        ("model_type", json!("roberta")),
        ("position_embedding_type", json!("relative_key")),
        ("is_decoder", json!(true)),
        ("hidden_size", json!(0)),
        ("hidden_size", json!(7)),
        ("hidden_size", json!(-1)),
        ("hidden_size", json!("6")),
        ("num_attention_heads", json!(0)),
        ("num_attention_heads", json!(4)),
        ("num_hidden_layers", json!(1_000_000_000)),
        ("vocab_size", json!(u64::MAX)),
        ("intermediate_size", json!(1u64 << 40)),
        ("max_position_embeddings", json!(0)),
        ("type_vocab_size", json!(0)),
        ("layer_norm_eps", json!(-1e-12)),
        ("layer_norm_eps", json!(1e300)),
    ];
    let files = TinyBert::new().files();
    let code = "model.config";
    broken_files::assert_settings_are_refused(&files, "config.json", settings, code, refusal);
}

#[test]
fn dimensions_that_the_weights_do_not_have_are_refused_by_both_shapes() {
    let mut tiny = TinyBert::new();
    tiny.config["intermediate_size"] = json!(12);
    let error = refused(&tiny);
    assert_eq!(error.code, "model.weights");
    for part in ["encoder.layer.0.intermediate.dense", "[12", "[11"] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    // Far more than there is memory for: refused by the file's shapes, before any is taken.
    for key in ["vocab_size", "max_position_embeddings", "intermediate_size"] {
        let mut tiny = TinyBert::new();
        tiny.config[key] = json!(1 << 24);
        assert_eq!(refused(&tiny).code, "model.weights", "{key}");
    }
}

#[test]
fn a_missing_tensor_is_named() {
    let mut tiny = TinyBert::new();
    tiny.tensors.remove("encoder.layer.1.output.dense.bias");
    let error = refused(&tiny);
    assert_eq!(error.code, "model.weights");
    assert!(
        error.message.contains("encoder.layer.1.output.dense.bias"),
        "{}",
        error.message
    );
    tiny.tensors.remove("embeddings.word_embeddings.weight");
    assert_eq!(refused(&tiny).code, "model.weights");
}

#[test]
fn a_tokenizer_that_does_not_fit_is_refused() {
    let change: [fn(&mut Value); 4] = [
        |tokenizer| *tokenizer = json!("not a tokenizer"),
        |tokenizer| tokenizer["model"] = json!({"type": "Unheard"}),
        |tokenizer| tokenizer["model"]["vocab"]["one-too-many"] = json!(12),
        |tokenizer| {
            let special = json!({"SpecialToken": {"id": "[CLS]", "type_id": 0}});
            tokenizer["post_processor"]["single"] = json!(vec![special; 9]);
        },
    ];
    for (i, change) in change.into_iter().enumerate() {
        let mut tiny = TinyBert::new();
        change(&mut tiny.tokenizer);
        assert_eq!(refused(&tiny).code, "model.tokenizer", "change {i}");
    }
}

#[test]
fn a_token_without_an_embedding_is_an_error() {
    use ampoule_guest::TextEmbedding as _;

    let mut tiny = TinyBert::new();
    tiny.tokenizer["model"]["vocab"]["box"] = json!(4_000_000_000u32);
    let model = tiny.load().unwrap();
    assert_eq!(
        model.embed(&["box".to_owned()]).unwrap_err().code,
        "model.tokenizer"
    );
}

#[test]
fn weights_that_make_no_number_are_an_error() {
    use ampoule_guest::TextEmbedding as _;

    for value in [f32::NAN, f32::INFINITY, f32::MAX] {
        let mut tiny = TinyBert::new();
        let weights = &mut tiny
            .tensors
            .get_mut("encoder.layer.1.output.LayerNorm.weight")
            .unwrap()
            .1;
        weights.fill(value);
        let model = tiny.load().unwrap();
        let error = model.embed(&["box".to_owned()]).unwrap_err();
        assert_eq!(error.code, "model.weights", "{value}");
    }
}

#[test]
fn weights_cut_anywhere_are_refused() {
    broken_files::assert_weights_cut_anywhere_are_refused(&TinyBert::new().files(), refusal);
}

#[test]
fn hostile_headers_are_refused() {
    let files = TinyBert::new().files();
    let tensor = "embeddings.word_embeddings.weight";
    broken_files::assert_hostile_headers_are_refused(&files, tensor, refusal);
}

#[test]
fn a_flipped_bit_anywhere_in_a_header_is_refused() {
    broken_files::assert_flipped_bits_in_the_header_are_refused(&TinyBert::new().files(), refusal);
}
