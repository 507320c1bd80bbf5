//! Files that are wrong get one clear error each, and never a panic.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_model;

use ampoule_guest::{Error, ImageClassification as _, ImageEmbedding as _, TextGeneration};
use ampoule_guest_testing::broken_files::{self, Files, Refusal};
use serde_json::{Value, json};
use tiny_model::{TinyModel, ask, image, load};

#[track_caller]
fn refused(tiny: &TinyModel) -> Error {
    tiny.load().err().unwrap()
}

/// Tells why the model does not take these files.
fn refusal(files: Files) -> Option<Refusal> {
    let Error { code, message } = load(files).err()?;
    Some(Refusal { code, message })
}

#[test]
fn a_missing_file_is_named() {
    broken_files::assert_missing_files_are_named(&TinyModel::new().files(), refusal);
}

#[test]
fn a_configuration_that_this_guest_cannot_serve_is_refused() {
    let settings = [
        ("model_type", json!("bert")),
        ("image_size", json!(0)),
        ("image_size", json!(1 << 20)),
        ("image_size", json!("96")),
        ("stem_channels", json!([])),
        ("stem_channels", json!([5, 0])),
        ("stem_channels", json!([5, 7])),
        ("stem_channels", json!(vec![6; 10_000])),
        ("stage_channels", json!([])),
        ("stage_channels", json!([6, 1 << 30])),
        ("stage_blocks", json!([1])),
        ("stage_blocks", json!([1, 2, 3])),
        ("stage_blocks", json!([1, 0])),
        ("hidden_size", json!(0)),
        ("hidden_size", json!(13)),
        ("hidden_size", json!(-12)),
        ("num_attention_heads", json!(0)),
        ("num_attention_heads", json!(5)),
        ("intermediate_size", json!(1u64 << 40)),
        ("encoder_layers", json!(0)),
        ("decoder_layers", json!(1_000_000_000)),
        ("max_text_positions", json!(3)),
        ("vocab_size", json!(u64::MAX)),
        ("embedding_dimensions", json!(0)),
        ("layer_norm_eps", json!(-1e-5)),
        ("layer_norm_eps", json!(1e300)),
        ("labels", json!([])),
        ("labels", json!([1, 2, 3])),
    ];
    let files = TinyModel::new().files();
    let code = "model.config";
    broken_files::assert_settings_are_refused(&files, "config.json", settings, code, refusal);
}

/// The weights are not asked: what a picture takes is known before.
#[test]
fn a_network_that_a_picture_does_not_fit_through_is_refused() {
    for (image_size, stem, stages, hidden) in [
        // A convolution makes 512 × 512 × 8,192 numbers.
        (1024, [8192, 8], [8, 7], 12),
        (1024, [8, 8192], [8192, 7], 12),
        (1024, [8, 8], [8, 8192], 12),
        (1024, [8, 8], [8, 8], 8192),
    ] {
        let mut tiny = TinyModel::new();
        tiny.config["image_size"] = json!(image_size);
        tiny.config["stem_channels"] = json!(stem);
        tiny.config["stage_channels"] = json!(stages);
        tiny.config["hidden_size"] = json!(hidden);
        tiny.config["num_attention_heads"] = json!(1);
        let error = refused(&tiny);
        assert_eq!(error.code, "model.config", "{}", error.message);
        assert!(error.message.contains("8192"), "{}", error.message);
        tiny.config["image_size"] = json!(32);
        assert_eq!(refused(&tiny).code, "model.weights");
    }
}

#[test]
fn dimensions_that_the_weights_do_not_have_are_refused() {
    for (key, value) in [
        ("image_size", json!(40)),
        ("stem_channels", json!([4, 6])),
        ("stage_blocks", json!([2, 2])),
        ("intermediate_size", json!(1 << 13)),
        ("encoder_layers", json!(3)),
        ("max_text_positions", json!(1 << 14)),
        ("vocab_size", json!(1 << 18)),
        ("embedding_dimensions", json!(6)),
        ("labels", json!(["red", "square"])),
    ] {
        let mut tiny = TinyModel::new();
        tiny.config[key] = value;
        assert_eq!(refused(&tiny).code, "model.weights", "{key}");
    }
}

#[test]
fn every_tensor_is_needed() {
    let names: Vec<String> = TinyModel::new().tensors.keys().cloned().collect();
    for name in names {
        let mut tiny = TinyModel::new();
        tiny.tensors.remove(&name);
        let error = refused(&tiny);
        assert_eq!(error.code, "model.weights");
        assert!(error.message.contains(&name), "{}", error.message);
    }
}

#[test]
fn a_tokenizer_that_does_not_fit_is_refused() {
    let change: [fn(&mut Value); 4] = [
        |tokenizer| *tokenizer = json!("not a tokenizer"),
        |tokenizer| tokenizer["model"] = json!({"type": "Unheard"}),
        |tokenizer| tokenizer["model"]["vocab"]["one-too-many"] = json!(263),
        |tokenizer| {
            tokenizer["added_tokens"].as_array_mut().unwrap().pop();
            let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
            vocabulary.remove("<end>");
        },
    ];
    for (i, change) in change.into_iter().enumerate() {
        let mut tiny = TinyModel::new();
        change(&mut tiny.tokenizer);
        assert_eq!(refused(&tiny).code, "model.tokenizer", "change {i}");
    }
}

#[test]
fn a_token_without_an_embedding_is_an_error() {
    let mut tiny = TinyModel::new();
    tiny.tokenizer["model"]["vocab"]["W"] = json!(4_000_000_000u32);
    let model = tiny.load().unwrap();
    let mut generation = model.generate(ask(vec![image(1)], "why w?")).unwrap();
    TextGeneration::next(&model, &mut generation).unwrap();
    let mut tiny = TinyModel::new();
    tiny.tokenizer["model"]["vocab"]["w"] = json!(4_000_000_000u32);
    let model = tiny.load().unwrap();
    let mut generation = model.generate(ask(vec![image(1)], "why w?")).unwrap();
    let error = TextGeneration::next(&model, &mut generation).err().unwrap();
    assert_eq!(error.code, "model.tokenizer");
}

#[test]
fn weights_that_make_no_number_are_an_error() {
    for value in [f32::NAN, f32::INFINITY, f32::MAX] {
        let mut tiny = TinyModel::new();
        for name in ["encoder.norm.weight", "decoder.norm.weight"] {
            tiny.tensors.get_mut(name).unwrap().1.fill(value);
        }
        let model = tiny.load().unwrap();
        let code = "model.weights";
        assert_eq!(model.embed(&[image(1)]).unwrap_err().code, code, "{value}");
        assert_eq!(model.classify(image(1), 1).unwrap_err().code, code);
        let mut generation = model.generate(ask(vec![image(1)], "Why?")).unwrap();
        let error = TextGeneration::next(&model, &mut generation).err().unwrap();
        assert_eq!(error.code, code, "{value}");
    }
}

#[test]
fn weights_cut_anywhere_are_refused() {
    broken_files::assert_weights_cut_anywhere_are_refused(&TinyModel::new().files(), refusal);
}

#[test]
fn hostile_headers_are_refused() {
    let files = TinyModel::new().files();
    let tensor = "decoder.embedding.weight";
    broken_files::assert_hostile_headers_are_refused(&files, tensor, refusal);
}

#[test]
fn a_flipped_bit_anywhere_in_a_header_is_refused() {
    broken_files::assert_flipped_bits_in_the_header_are_refused(&TinyModel::new().files(), refusal);
}
