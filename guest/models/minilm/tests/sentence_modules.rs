//! Pooling, modules, prompts and lengths are those of the folder's files, as sentence-transformers reads them.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_bert;

use std::collections::BTreeMap;

use ampoule_guest::{Model as _, TextEmbedding as _, TextTokenization as _};
use ampoule_guest_testing::reference::{Rows, assert_near, gelu};
use ampoule_guest_testing::{numbers, safetensors};
use serde_json::{Value, json};
use tiny_bert::definition::{Definition, mean, normalized};
use tiny_bert::{Format, HIDDEN, POSITIONS, TinyBert, load};

const TEXT: &str = "a model in boxes.";

fn ids(tiny: &TinyBert, text: &str) -> Vec<u32> {
    let tokens = tiny.load().unwrap().tokenize(&[text.to_owned()]).unwrap();
    tokens.into_iter().next().unwrap().ids
}

fn vector(tiny: &TinyBert) -> Vec<f32> {
    let model = tiny.load().unwrap();
    let found = model.embed(&[TEXT.to_owned()]).unwrap();
    let info = model.describe().properties;
    let dimensions = info
        .iter()
        .find(|p| p.key == "embedding.dimensions")
        .unwrap();
    assert_eq!(dimensions.value, found.dimensions.to_string());
    assert_eq!(found.values.len(), found.dimensions as usize);
    found.values
}

/// The last layer's rows for the text.
fn rows(tiny: &TinyBert) -> Rows {
    let definition = Definition {
        tensors: TinyBert::new().tensors,
        activation: gelu,
    };
    definition.rows_of(&ids(tiny, TEXT))
}

fn refused(tiny: &TinyBert, parts: &[&str]) {
    let error = tiny.load().err().unwrap();
    assert!(error.code.starts_with("model."), "{}", error.code);
    for part in parts {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
}

#[test]
fn a_text_is_pooled_as_the_folder_says() {
    let rows = rows(&TinyBert::new());
    let count = rows.len() as f64;
    let largest: Vec<f64> = (0..HIDDEN)
        .map(|i| {
            rows.iter()
                .map(|row| row[i])
                .fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    let by_length: Vec<f64> = mean(&rows).iter().map(|v| v * count.sqrt()).collect();
    let weighted: Vec<f64> = (0..HIDDEN)
        .map(|i| {
            let sum: f64 = rows
                .iter()
                .zip(1..)
                .map(|(row, n)| row[i] * f64::from(n))
                .sum();
            sum / (count * (count + 1.0) / 2.0)
        })
        .collect();
    for (old, new, expected) in [
        ("pooling_mode_cls_token", "cls", rows[0].clone()),
        ("pooling_mode_max_tokens", "max", largest),
        ("pooling_mode_mean_tokens", "mean", mean(&rows)),
        (
            "pooling_mode_mean_sqrt_len_tokens",
            "mean_sqrt_len_tokens",
            by_length,
        ),
        ("pooling_mode_weightedmean_tokens", "weightedmean", weighted),
        (
            "pooling_mode_lasttoken",
            "lasttoken",
            rows.last().unwrap().clone(),
        ),
    ] {
        for config in [json!({ old: true }), json!({ "pooling_mode": new })] {
            let tiny = TinyBert::new().with_modules(&config, &[]);
            assert_near(&vector(&tiny), &expected, 1e-5);
            let tiny = TinyBert::new().with_modules(&config, &["Normalize"]);
            assert_near(&vector(&tiny), &normalized(&expected), 1e-5);
        }
    }
}

#[test]
fn several_ways_to_pool_make_one_longer_vector() {
    let rows = rows(&TinyBert::new());
    let config = json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true});
    let tiny = TinyBert::new().with_modules(&config, &["Normalize"]);
    let both = [rows[0].clone(), mean(&rows)].concat();
    assert_near(&vector(&tiny), &normalized(&both), 1e-5);
}

#[test]
fn without_a_list_of_modules_pooling_is_the_usual_folders_or_the_mean() {
    let rows = rows(&TinyBert::new());
    assert_near(&vector(&TinyBert::new()), &normalized(&mean(&rows)), 1e-5);
    let tiny = TinyBert::new().with(
        "1_Pooling/config.json",
        &json!({"pooling_mode_cls_token": true}),
    );
    assert_near(&vector(&tiny), &normalized(&rows[0]), 1e-5);
}

#[test]
fn pooling_that_is_not_served_is_refused_by_name() {
    for (config, part) in [
        (json!({"pooling_mode": "attention"}), "attention"),
        (json!({"word_embedding_dimension": 768}), "768"),
        (
            json!({"pooling_mode_cls_token": "yes"}),
            "pooling_mode_cls_token",
        ),
    ] {
        refused(
            &TinyBert::new().with_modules(&config, &[]),
            &["1_Pooling/config.json", part],
        );
    }
    let mut tiny = TinyBert::new().with_modules(&json!({}), &[]);
    tiny.more.remove("1_Pooling/config.json");
    assert_eq!(tiny.load().err().unwrap().code, "asset.not-found");
    refused(
        &TinyBert::new().with_modules(&json!({}), &["CNN"]),
        &["modules.json", "models.CNN"],
    );
}

/// A linear layer of random weights, `[outputs, inputs]`, as the module's file has it.
fn dense(outputs: usize, inputs: usize, names: &[&str]) -> (Vec<f32>, Vec<f32>, Vec<u8>) {
    let (weight, bias) = (numbers(outputs * inputs, 91), numbers(outputs, 92));
    let mut tensors = BTreeMap::new();
    for name in names {
        let bias = (vec![outputs], bias.clone());
        let weight = (vec![outputs, inputs], weight.clone());
        tensors.insert(
            (*name).to_owned(),
            if name.ends_with("bias") { bias } else { weight },
        );
    }
    (weight, bias, safetensors::file(&tensors, Format::F32))
}

fn product(weight: &[f32], bias: &[f32], x: &[f64]) -> Vec<f64> {
    weight
        .chunks(x.len())
        .zip(bias)
        .map(|(row, bias)| {
            row.iter()
                .zip(x)
                .map(|(w, x)| f64::from(*w) * x)
                .sum::<f64>()
                + f64::from(*bias)
        })
        .collect()
}

#[test]
fn a_dense_layer_follows_pooling() {
    const OUTPUTS: usize = 4;
    let x = mean(&rows(&TinyBert::new()));
    let (weight, bias, file) = dense(OUTPUTS, HIDDEN, &["linear.weight", "linear.bias"]);
    let plain = product(&weight, &bias, &x);
    type Function = fn(f64) -> f64;
    let cases: [(Option<&str>, Function); 7] = [
        (None, f64::tanh),
        (Some("torch.nn.modules.activation.Tanh"), f64::tanh),
        (Some("torch.nn.modules.linear.Identity"), |x| x),
        (Some("torch.nn.modules.activation.ReLU"), |x| x.max(0.0)),
        (Some("torch.nn.modules.activation.GELU"), gelu),
        (Some("torch.nn.modules.activation.SiLU"), |x| {
            x / (1.0 + (-x).exp())
        }),
        (Some("torch.nn.modules.activation.Sigmoid"), |x| {
            1.0 / (1.0 + (-x).exp())
        }),
    ];
    for (class, function) in cases {
        let mut config = json!({"in_features": HIDDEN, "out_features": OUTPUTS, "bias": true});
        if let Some(class) = class {
            config["activation_function"] = json!(class);
        }
        let mut tiny = TinyBert::new()
            .with_modules(&json!({}), &["Dense"])
            .with("2_Dense/config.json", &config);
        tiny.more
            .insert("2_Dense/model.safetensors".to_owned(), file.clone());
        let expected: Vec<f64> = plain.iter().map(|&v| function(v)).collect();
        assert_near(&vector(&tiny), &expected, 1e-4);
    }
}

#[test]
fn a_dense_layer_may_have_no_bias_and_a_residual_connection() {
    let x = mean(&rows(&TinyBert::new()));
    let module = |config: &Value, file: Vec<u8>| {
        let mut tiny = TinyBert::new()
            .with_modules(&json!({}), &["Dense"])
            .with("2_Dense/config.json", config);
        tiny.more
            .insert("2_Dense/model.safetensors".to_owned(), file);
        vector(&tiny)
    };
    let mut config = json!({
        "in_features": HIDDEN, "out_features": 4, "bias": false,
        "activation_function": "torch.nn.modules.linear.Identity",
    });
    let (weight, _, file) = dense(4, HIDDEN, &["linear.weight"]);
    let plain = product(&weight, &[0.0; 4], &x);
    assert_near(&module(&config, file), &plain, 1e-4);

    config["use_residual"] = json!(true);
    let (_, _, file) = dense(4, HIDDEN, &["linear.weight", "residual.weight"]);
    let twice: Vec<f64> = plain.iter().map(|v| 2.0 * v).collect();
    assert_near(&module(&config, file), &twice, 1e-4);

    config["out_features"] = json!(HIDDEN);
    let (weight, _, file) = dense(HIDDEN, HIDDEN, &["linear.weight"]);
    let expected: Vec<f64> = product(&weight, &[0.0; HIDDEN], &x)
        .iter()
        .zip(&x)
        .map(|(y, x)| y + x)
        .collect();
    assert_near(&module(&config, file), &expected, 1e-4);
}

#[test]
fn a_layer_normalisation_may_follow() {
    let tensors = BTreeMap::from([
        ("norm.weight".to_owned(), (vec![HIDDEN], numbers(HIDDEN, 3))),
        ("norm.bias".to_owned(), (vec![HIDDEN], numbers(HIDDEN, 4))),
    ]);
    let mut tiny = TinyBert::new()
        .with_modules(&json!({}), &["LayerNorm", "Dropout", "Normalize"])
        .with("2_LayerNorm/config.json", &json!({"dimension": HIDDEN}));
    let file = safetensors::file(&tensors, Format::F32);
    tiny.more
        .insert("2_LayerNorm/model.safetensors".to_owned(), file);
    let x = mean(&rows(&TinyBert::new()));
    let middle = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / x.len() as f64;
    let expected: Vec<f64> = x
        .iter()
        .zip(numbers(HIDDEN, 3).iter().zip(numbers(HIDDEN, 4)))
        .map(|(x, (w, b))| (x - middle) / (variance + 1e-5).sqrt() * f64::from(*w) + f64::from(b))
        .collect();
    assert_near(&vector(&tiny), &normalized(&expected), 1e-4);
    tiny.more.insert(
        "2_LayerNorm/config.json".to_owned(),
        b"{\"dimension\": 7}".to_vec(),
    );
    refused(&tiny, &["2_LayerNorm/config.json", "dimension"]);
}

#[test]
fn modules_whose_files_are_wrong_are_refused_by_name() {
    let good = json!({"in_features": HIDDEN, "out_features": 4, "bias": true});
    let change = |key: &str, value: Value| {
        let mut config = good.clone();
        config[key] = value;
        config
    };
    let (_, _, file) = dense(4, HIDDEN, &["linear.weight", "linear.bias"]);
    let module = |config: &Value| {
        let mut tiny = TinyBert::new()
            .with_modules(&json!({}), &["Dense"])
            .with("2_Dense/config.json", config);
        tiny.more
            .insert("2_Dense/model.safetensors".to_owned(), file.clone());
        tiny
    };
    assert!(module(&good).load().is_ok());
    for (config, part) in [
        (change("in_features", json!(7)), "in_features"),
        (change("in_features", json!(null)), "in_features"),
        (change("out_features", json!(0)), "out_features"),
        (change("out_features", json!(-4)), "out_features"),
        (change("out_features", json!(u64::MAX)), "out_features"),
        // Far more than there is memory for: refused by the file's shapes.
        (change("out_features", json!(1 << 24)), "linear.bias"),
        (
            change(
                "activation_function",
                json!("torch.nn.modules.activation.Mish"),
            ),
            "Mish",
        ),
        (
            change("activation_function", json!("my_code.Function")),
            "my_code.Function",
        ),
        (
            change("activation_function", json!(7)),
            "activation_function",
        ),
        (
            change("module_input_name", json!("token_embeddings")),
            "token_embeddings",
        ),
        (change("use_residual", json!(true)), "residual.weight"),
    ] {
        refused(&module(&config), &[part]);
    }
    let mut pickled = module(&good);
    let weights = pickled.more.remove("2_Dense/model.safetensors").unwrap();
    pickled
        .more
        .insert("2_Dense/pytorch_model.bin".to_owned(), weights);
    refused(&pickled, &["2_Dense/pytorch_model.bin", "safetensors"]);
    let rows_scaled = TinyBert::new()
        .with_modules(&json!({}), &["Normalize"])
        .with(
            "2_Normalize/config.json",
            &json!({"module_input_name": "token_embeddings"}),
        );
    refused(
        &rows_scaled,
        &["2_Normalize/config.json", "token_embeddings"],
    );
}

#[test]
fn the_transformer_may_be_in_a_folder_of_its_own() {
    let expected = vector(&TinyBert::new());
    let tiny = TinyBert::new();
    let mut files: BTreeMap<String, Vec<u8>> = tiny
        .files()
        .into_iter()
        .map(|(name, bytes)| (format!("0_Transformer/{name}"), bytes))
        .collect();
    let module = |path: &str, name: &str| json!({"path": path, "type": format!("sentence_transformers.models.{name}")});
    let modules = json!([
        module("0_Transformer", "Transformer"),
        module("1_Pooling", "Pooling"),
        module("2_Normalize", "Normalize"),
    ]);
    files.insert("modules.json".to_owned(), modules.to_string().into_bytes());
    files.insert("1_Pooling/config.json".to_owned(), b"{}".to_vec());
    files.insert(
        "0_Transformer/sentence_bert_config.json".to_owned(),
        b"{\"max_seq_length\": 8}".to_vec(),
    );
    let model = load(files).unwrap();
    assert_eq!(model.embed(&[TEXT.to_owned()]).unwrap().values, expected);
    assert_eq!(model.describe().properties[0].value, "8");
}

#[test]
fn a_text_is_cut_where_its_publishers_library_cuts_it() {
    let sentence = |length: Value| {
        (
            "sentence_bert_config.json",
            json!({"max_seq_length": length}),
        )
    };
    let tokenizer = |length: Value| ("tokenizer_config.json", json!({"model_max_length": length}));
    for (files, expected) in [
        (vec![], POSITIONS),
        (vec![sentence(json!(5))], 5),
        (vec![sentence(json!(null))], POSITIONS),
        // More than there are positions: the model has no more.
        (vec![sentence(json!(500))], POSITIONS),
        (vec![tokenizer(json!(6))], 6),
        (vec![tokenizer(json!(1e30))], POSITIONS),
        (vec![tokenizer(json!(null))], POSITIONS),
        (vec![("tokenizer_config.json", json!({"max_len": 7}))], 7),
        // sentence-transformers' own file goes before the tokenizer's, whichever is longer.
        (vec![sentence(json!(5)), tokenizer(json!(7))], 5),
        (vec![sentence(json!(7)), tokenizer(json!(5))], 7),
        (vec![sentence(json!(null)), tokenizer(json!(5))], 5),
    ] {
        let tiny = files
            .iter()
            .fold(TinyBert::new(), |tiny, (name, settings)| {
                tiny.with(name, settings)
            });
        let model = tiny.load().unwrap();
        assert_eq!(
            model.describe().properties[0].value,
            expected.to_string(),
            "{files:?}"
        );
        for words in [expected - 3, expected - 2, expected - 1, 2 * POSITIONS] {
            let text = ["a ".repeat(words)];
            let tokens = model.tokenize(&text).unwrap().remove(0);
            let truncated = words + 2 > expected;
            assert_eq!(tokens.truncated, truncated, "{files:?}: {words} words");
            assert_eq!(tokens.ids.len(), (words + 2).min(expected), "{files:?}");
            assert_eq!(tokens.ids.last(), Some(&3));
            assert_eq!(model.embed(&text).unwrap().truncated, [truncated]);
        }
    }
    for length in [json!(0), json!(-1), json!("256"), json!(2), json!(1)] {
        let (name, settings) = sentence(length.clone());
        let error = TinyBert::new().with(name, &settings).load().err().unwrap();
        assert!(error.code.starts_with("model."), "{length}: {}", error.code);
    }
}

#[test]
fn a_text_is_cut_at_the_end_that_the_tokenizer_says() {
    let text = ["sandbox a model in boxes in a box.".to_owned()];
    let left = json!({"truncation_side": "left", "model_max_length": 5});
    for (settings, expected) in [
        (json!({"model_max_length": 5}), vec![2, 9, 10, 4, 3]),
        (
            json!({"truncation_side": "right", "model_max_length": 5}),
            vec![2, 9, 10, 4, 3],
        ),
        (left.clone(), vec![2, 4, 7, 11, 3]),
    ] {
        let model = TinyBert::new()
            .with("tokenizer_config.json", &settings)
            .load()
            .unwrap();
        let tokens = model.tokenize(&text).unwrap().remove(0);
        assert_eq!(
            (tokens.ids, tokens.truncated),
            (expected, true),
            "{settings}"
        );
    }
    // Without special tokens, and by `tokenizer.json` alone.
    let mut tiny = TinyBert::new().with("sentence_bert_config.json", &json!({"max_seq_length": 3}));
    tiny.tokenizer["post_processor"] = Value::Null;
    tiny.tokenizer["truncation"]["direction"] = json!("Left");
    let tokens = tiny.load().unwrap().tokenize(&text).unwrap().remove(0);
    assert_eq!((tokens.ids, tokens.truncated), (vec![4, 7, 11], true));
    let middle = json!({"truncation_side": "middle"});
    refused(
        &TinyBert::new().with("tokenizer_config.json", &middle),
        &["truncation_side", "middle"],
    );
}

#[test]
fn the_default_prompt_is_in_front_of_every_text() {
    let prompts = json!({"query": "a box. ", "passage": "sandbox "});
    let by = |name: Value| {
        let settings = json!({"prompts": prompts, "default_prompt_name": name});
        TinyBert::new().with("config_sentence_transformers.json", &settings)
    };
    assert_eq!(ids(&by(json!("query")), "in"), [2, 4, 7, 11, 6, 3]);
    assert_eq!(ids(&by(json!("passage")), "in"), [2, 9, 10, 6, 3]);
    // Prompts by other names are for those who ask for them.
    assert_eq!(ids(&by(json!(null)), "in"), [2, 6, 3]);
    let model = by(json!("query")).load().unwrap();
    let found = model.embed(&["in".to_owned()]).unwrap();
    assert_eq!(found.usage.input_tokens, 6);
    let plain = TinyBert::new().load().unwrap();
    assert_eq!(
        found.values,
        plain.embed(&["a box. in".to_owned()]).unwrap().values
    );
    assert_ne!(
        found.values,
        plain.embed(&["in".to_owned()]).unwrap().values
    );
    refused(
        &by(json!("clustering")),
        &["default_prompt_name", "clustering"],
    );
    // A prompt that fills all positions would make all texts one.
    let long =
        json!({"prompts": {"query": "a ".repeat(POSITIONS)}, "default_prompt_name": "query"});
    refused(
        &TinyBert::new().with("config_sentence_transformers.json", &long),
        &["prompt"],
    );
}

#[test]
fn rows_of_a_prompt_are_left_out_where_pooling_says_so() {
    let settings = json!({"prompts": {"query": "a box. "}, "default_prompt_name": "query"});
    let with = |pooling: Value| {
        TinyBert::new()
            .with_modules(&pooling, &[])
            .with("config_sentence_transformers.json", &settings)
    };
    let definition = Definition {
        tensors: TinyBert::new().tensors,
        activation: gelu,
    };
    let rows = definition.rows_of(&[2, 4, 7, 11, 6, 3]);
    let embed = |tiny: TinyBert| {
        let model = tiny.load().unwrap();
        model.embed(&["in".to_owned()]).unwrap().values
    };
    let own = rows[4..].to_vec();
    assert_near(
        &embed(with(json!({"include_prompt": false}))),
        &mean(&own),
        1e-5,
    );
    assert_near(
        &embed(with(json!({"include_prompt": true}))),
        &mean(&rows),
        1e-5,
    );
    let first = json!({"pooling_mode": "cls", "include_prompt": false});
    assert_near(&embed(with(first)), &rows[4], 1e-5);
    let last = json!({"pooling_mode": "lasttoken", "include_prompt": false});
    assert_near(&embed(with(last)), &rows[5], 1e-5);
    // Without special tokens nothing is left of an empty text.
    let mut tiny = with(json!({"include_prompt": false}));
    tiny.tokenizer["post_processor"] = Value::Null;
    let error = tiny.load().unwrap().embed(&[String::new()]).unwrap_err();
    assert_eq!(error.code, "input.empty");
}

#[test]
fn a_vector_is_cut_where_the_model_says_so() {
    let expected = normalized(&mean(&rows(&TinyBert::new())));
    for (kept, length) in [(4, 4), (HIDDEN, HIDDEN), (100, HIDDEN)] {
        let settings = json!({ "truncate_dim": kept });
        let tiny = TinyBert::new().with("config_sentence_transformers.json", &settings);
        assert_near(&vector(&tiny), &expected[..length], 1e-5);
    }
}

#[test]
fn texts_are_lowercased_where_sentence_transformers_does_it() {
    let cased = |lower: bool| {
        let mut tiny = TinyBert::new().with(
            "sentence_bert_config.json",
            &json!({"do_lower_case": lower}),
        );
        tiny.tokenizer["normalizer"]["lowercase"] = json!(false);
        tiny
    };
    assert_eq!(ids(&cased(false), "A Box"), [2, 1, 1, 3]);
    assert_eq!(ids(&cased(true), "A Box"), [2, 4, 7, 3]);
    let mut bare = cased(true);
    bare.tokenizer["normalizer"] = Value::Null;
    assert_eq!(ids(&bare, "A Box"), [2, 4, 7, 3]);
    bare.tokenizer["normalizer"] = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}]});
    assert_eq!(ids(&bare, "A Box"), [2, 4, 7, 3]);
}
