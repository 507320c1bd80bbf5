//! Files of weights and configurations as they are about: old names, prefixes, types, and what would be another network.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_bert;

use std::collections::BTreeMap;

use ampoule_guest::TextEmbedding as _;
use ampoule_guest_testing::reference::{assert_near, gelu};
use serde_json::{Value, json};
use tiny_bert::definition::Definition;
use tiny_bert::{Format, TinyBert, load, safetensors};

const TEXT: &str = "a model in boxes.";

/// The text's ids, special tokens included.
const IDS: [u32; 8] = [2, 4, 5, 6, 7, 8, 11, 3];

fn vector(tiny: &TinyBert) -> Vec<f32> {
    tiny.load()
        .unwrap()
        .embed(&[TEXT.to_owned()])
        .unwrap()
        .values
}

#[track_caller]
fn refused(tiny: &TinyBert, code: &str, parts: &[&str]) {
    let error = tiny.load().err().unwrap();
    assert_eq!(error.code, code, "{}", error.message);
    for part in parts {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
}

/// The old names of a layer normalisation's tensors.
fn old_name(name: &str) -> String {
    name.replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta")
}

#[test]
fn layer_normalisations_may_have_their_old_names() {
    let expected = vector(&TinyBert::new());
    assert_eq!(vector(&TinyBert::new().renamed(old_name)), expected);
    // In some layers, in one of both tensors, and below a prefix.
    for part in [
        "layer.0",
        "embeddings",
        "output.LayerNorm.weight",
        "output.LayerNorm.bias",
    ] {
        let mut tiny = TinyBert::new().renamed(|name| {
            if name.contains(part) {
                old_name(name)
            } else {
                name.to_owned()
            }
        });
        tiny.prefix = "bert.";
        assert_eq!(vector(&tiny), expected, "{part}");
    }
}

#[test]
fn a_layer_normalisation_of_both_names_is_refused() {
    let mut tiny = TinyBert::new();
    let weight = tiny.tensors["embeddings.LayerNorm.weight"].clone();
    tiny.tensors
        .insert("embeddings.LayerNorm.gamma".to_owned(), weight);
    refused(
        &tiny,
        "model.weights",
        &["embeddings.LayerNorm.weight", "embeddings.LayerNorm.gamma"],
    );
    let neither = TinyBert::new().renamed(|name| name.replace("LayerNorm.bias", "LayerNorm.shift"));
    refused(&neither, "model.weights", &["LayerNorm.bias"]);
}

#[test]
fn names_may_have_any_prefix() {
    let expected = vector(&TinyBert::new());
    for prefix in [
        "bert.",
        "model.",
        "model.bert.",
        "0.auto_model.",
        "0.model.",
        "auto_model.",
        "encoder.",
        "module.bert.",
        "_orig_mod.",
    ] {
        let mut tiny = TinyBert::new();
        tiny.prefix = prefix;
        assert_eq!(vector(&tiny), expected, "{prefix}");
    }
    // Heads beside the network, as a model for masked words has them.
    let mut tiny = TinyBert::new().renamed(|name| format!("bert.{name}"));
    let table = tiny.tensors["bert.embeddings.word_embeddings.weight"].clone();
    tiny.tensors
        .insert("cls.predictions.decoder.weight".to_owned(), table);
    assert_eq!(vector(&tiny), expected);
}

#[test]
fn two_networks_in_one_file_are_refused_by_their_prefixes() {
    for [one, two] in [
        ["", "bert."],
        ["query.", "passage."],
        ["encoder.", "decoder.bert."],
    ] {
        let mut tiny = TinyBert::new();
        let tensors = std::mem::take(&mut tiny.tensors);
        for prefix in [one, two] {
            let named = tensors
                .iter()
                .map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone()));
            tiny.tensors.extend(named);
        }
        refused(
            &tiny,
            "model.weights",
            &[&format!("`{one}`"), &format!("`{two}`")],
        );
    }
    // The end of a longer word is no prefix.
    let tiny = TinyBert::new().renamed(|name| format!("other_{name}"));
    refused(
        &tiny,
        "model.weights",
        &["embeddings.word_embeddings.weight"],
    );
}

#[test]
fn each_tensor_may_be_of_a_type_of_its_own() {
    let expected: Vec<f64> = vector(&TinyBert::new())
        .iter()
        .map(|&v| f64::from(v))
        .collect();
    let mixed = |format: fn(&str) -> Format| {
        let tiny = TinyBert::new();
        let mut files = tiny.files();
        let file = safetensors::mixed_file(&tiny.tensors, format);
        files.insert("model.safetensors".to_owned(), file);
        load(files).map(|model| model.embed(&[TEXT.to_owned()]).unwrap().values)
    };
    type Case = (fn(&str) -> Format, f64);
    let cases: [Case; 4] = [
        (
            |name| {
                if name.contains("LayerNorm") {
                    Format::F32
                } else {
                    Format::F16
                }
            },
            2e-2,
        ),
        (
            |name| {
                if name.contains("embeddings") {
                    Format::BF16
                } else {
                    Format::F32
                }
            },
            2e-1,
        ),
        (
            |name| {
                if name.ends_with("bias") {
                    Format::F32
                } else {
                    Format::BF16
                }
            },
            2e-1,
        ),
        // An odd number of halves leaves the next tensor at an odd place.
        (
            |name| {
                if name.len() % 2 == 0 {
                    Format::F16
                } else {
                    Format::BF16
                }
            },
            2e-1,
        ),
    ];
    for (format, tolerance) in cases {
        let found = mixed(format).unwrap();
        assert_near(&found, &expected, tolerance);
        assert!(
            found
                .iter()
                .zip(&expected)
                .any(|(a, b)| f64::from(*a) != *b)
        );
    }
    for part in ["word_embeddings", "LayerNorm", "query.weight", "dense.bias"] {
        let tiny = TinyBert::new();
        let mut files = tiny.files();
        let wide = |name: &str| {
            if name.contains(part) {
                Format::F64
            } else {
                Format::F32
            }
        };
        files.insert(
            "model.safetensors".to_owned(),
            safetensors::mixed_file(&tiny.tensors, wide),
        );
        let error = load(files).err().unwrap();
        assert_eq!(error.code, "model.weights");
        assert!(
            error.message.contains("F64") && error.message.contains(part),
            "{}",
            error.message
        );
    }
}

#[test]
fn weights_of_integers_are_refused_by_their_type() {
    for dtype in ["I8", "U8", "F8_E4M3", "F8_E5M2", "BOOL"] {
        let files = TinyBert::new().files();
        let file = &files["model.safetensors"];
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let mut header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
        let name = "encoder.layer.0.attention.self.query.weight";
        let four_bytes_a_number = header[name]["shape"][1].as_u64().unwrap() * 4;
        header[name]["dtype"] = json!(dtype);
        header[name]["shape"][1] = json!(four_bytes_a_number);
        let mut files = files.clone();
        files.insert(
            "model.safetensors".to_owned(),
            safetensors::file_of(&header, &file[8 + length..]),
        );
        let error = load(files).err().unwrap();
        assert_eq!(error.code, "model.weights", "{dtype}");
        assert!(error.message.contains(dtype), "{}", error.message);
    }
}

#[test]
fn a_tensor_that_is_named_twice_is_refused() {
    let mut files = TinyBert::new().files();
    let file = &files["model.safetensors"];
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(file[8..8 + length].to_vec()).unwrap();
    // The same entry again: readers that take the first and those that take the last would agree here.
    let name = "\"embeddings.LayerNorm.bias\":";
    let from = header.find(name).unwrap();
    let until = from + header[from..].find('}').unwrap() + 1;
    let header = header.replacen('{', &format!("{{{},", &header[from..until]), 1);
    let mut twice = (header.len() as u64).to_le_bytes().to_vec();
    twice.extend(header.into_bytes());
    twice.extend(&file[8 + length..]);
    files.insert("model.safetensors".to_owned(), twice);
    let error = load(files).err().unwrap();
    assert_eq!(error.code, "model.weights");
    assert!(
        error.message.contains("embeddings.LayerNorm.bias"),
        "{}",
        error.message
    );
}

#[test]
fn adapters_that_were_not_merged_are_refused() {
    for (from, to) in [
        ("query.weight", "query.base_layer.weight"),
        ("key.bias", "key.lora_A.default.weight"),
        ("pooler", "pooler"),
    ] {
        let tiny = TinyBert::new().renamed(|name| name.replace(from, to));
        match tiny.load() {
            Ok(_) => assert_eq!(from, to),
            Err(error) => assert!(error.message.contains("adapter"), "{}", error.message),
        }
    }
    let tiny = TinyBert::new().with("adapter_config.json", &json!({"peft_type": "LORA"}));
    refused(&tiny, "model.config", &["adapter_config.json", "merge"]);
}

#[test]
fn weights_that_are_stored_otherwise_are_named() {
    for (name, advice) in [
        ("pytorch_model.bin", "save them as safetensors"),
        ("model.safetensors.index.json", "save them as one"),
    ] {
        let mut files = TinyBert::new().files();
        let weights = files.remove("model.safetensors").unwrap();
        files.insert(name.to_owned(), weights);
        let error = load(files).err().unwrap();
        assert_eq!(error.code, "model.weights");
        for part in [name, advice] {
            assert!(error.message.contains(part), "{}", error.message);
        }
    }
}

#[test]
fn activations_are_those_of_the_configuration() {
    type Function = fn(f64) -> f64;
    let cases: [(&str, Function); 5] = [
        ("gelu", gelu),
        ("gelu_python", gelu),
        ("relu", |x| x.max(0.0)),
        ("silu", |x| x / (1.0 + (-x).exp())),
        ("swish", |x| x / (1.0 + (-x).exp())),
    ];
    for (name, activation) in cases {
        let mut tiny = TinyBert::new();
        tiny.config["hidden_act"] = json!(name);
        let definition = Definition {
            tensors: TinyBert::new().tensors,
            activation,
        };
        assert_near(&vector(&tiny), &definition.embed(&IDS), 1e-5);
    }
}

#[test]
fn what_would_be_another_network_is_refused_by_name() {
    for (key, value) in [
        ("hidden_act", json!("gelu_new")),
        ("hidden_act", json!("gelu_fast")),
        ("hidden_act", json!("gelu_pytorch_tanh")),
        ("hidden_act", json!("quick_gelu")),
        ("hidden_act", json!("mish")),
        ("hidden_act", json!(["gelu"])),
        ("position_embedding_type", json!("relative_key")),
        ("position_embedding_type", json!("relative_key_query")),
        ("position_embedding_type", json!("alibi")),
        ("position_embedding_type", json!("rotary")),
        ("model_type", json!("roberta")),
        ("model_type", json!("nomic_bert")),
        ("is_decoder", json!(true)),
        ("is_encoder_decoder", json!(true)),
        ("add_cross_attention", json!(true)),
        (
            "quantization_config",
            json!({"quant_method": "bitsandbytes", "load_in_8bit": true}),
        ),
        ("pruned_heads", json!({"0": [1]})),
        ("adapters", json!({"adapters": {"sts": "abc"}})),
        (
            "auto_map",
            json!({"AutoModel": "modeling_bert.JinaBertModel"}),
        ),
        ("alibi_starting_size", json!(512)),
        ("rope_theta", json!(10000.0)),
        ("rope_scaling", json!({"type": "linear", "factor": 2.0})),
        ("rotary_emb_fraction", json!(1.0)),
        ("layer_norm_type", json!("rms_norm")),
        ("norm_type", json!("rmsnorm")),
        ("sliding_window", json!(128)),
        ("embedding_size", json!(128)),
        ("num_key_value_heads", json!(1)),
        ("head_dim", json!(64)),
        ("num_experts", json!(8)),
    ] {
        let mut tiny = TinyBert::new();
        tiny.config[key] = value.clone();
        let shown = value.to_string();
        let shown = value
            .as_str()
            .unwrap_or(shown.split(['{', '[']).next().unwrap());
        refused(&tiny, "model.config", &[key, shown]);
    }
}

#[test]
fn settings_that_change_no_answer_are_no_reason_to_refuse() {
    let expected = vector(&TinyBert::new());
    let mut tiny = TinyBert::new();
    let harmless = json!({
        "_name_or_path": "nreimers/MiniLM-L6-H384-uncased", "adapters": {"adapters": {}, "config_map": {}},
        "add_cross_attention": false, "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1,
        "bos_token_id": null, "chunk_size_feed_forward": 7, "classifier_dropout": null, "directionality": "bidi",
        "dtype": "float16", "embedding_size": 6, "finetuning_task": "mnli", "gradient_checkpointing": false,
        "head_dim": 3, "hidden_dropout_prob": 0.1, "id2label": {"0": "LABEL_0"}, "initializer_range": 0.02,
        "is_decoder": false, "label2id": {"LABEL_0": 0}, "model_name": "anything", "num_key_value_heads": 2,
        "output_attentions": true, "output_hidden_states": true, "output_past": true, "pad_token_id": 0,
        "pooler_fc_size": 768, "pooler_num_attention_heads": 12, "pooler_type": "first_token_transform",
        "position_embedding_type": null, "problem_type": "regression", "pruned_heads": {}, "quantization_config": null,
        "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}, "tie_word_embeddings": true,
        "torch_dtype": "float16", "torchscript": true, "transformers_version": "4.8.2", "use_bfloat16": true,
        "use_cache": true, "a_tool_of_somebodys": {"step": 3},
    });
    for (key, value) in harmless.as_object().unwrap() {
        tiny.config[key] = value.clone();
    }
    assert_eq!(vector(&tiny), expected);
}

#[test]
fn files_of_settings_are_read_within_bounds() {
    for name in [
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "tokenizer_config.json",
    ] {
        let model = |text: Vec<u8>| {
            let mut files = TinyBert::new().with_modules(&json!({}), &["Dense"]).files();
            let weights = files["model.safetensors"].clone();
            files.insert("2_Dense/model.safetensors".to_owned(), weights);
            files.insert(name.to_owned(), text);
            load(files).err().map(|error| (error.code, error.message))
        };
        for text in [
            Vec::new(),
            b"null".to_vec(),
            b"7".to_vec(),
            b"\"text\"".to_vec(),
            b"{\"a\":".to_vec(),
            b"{\"a\": NaN}".to_vec(),
            vec![0xff; 9],
            vec![b'['; 60_000],
            [vec![b'{'], b"\"a\":{".repeat(9_000)].concat(),
        ] {
            let (code, message) = model(text).unwrap();
            assert_eq!(code, "model.config", "{name}: {message}");
            assert!(message.len() < 700, "{name}: {message}");
        }
        let (code, message) = model(vec![b' '; 8 << 20]).unwrap();
        assert_eq!(code, "model.file-size", "{name}");
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn settings_that_are_cut_or_changed_anywhere_are_served_or_refused() {
    let dense = json!({"in_features": 6, "out_features": 6, "use_residual": true, "bias": false});
    let tiny = TinyBert::new()
        .with_modules(
            &json!({"pooling_mode": "max", "include_prompt": false}),
            &["Dense"],
        )
        .with("2_Dense/config.json", &dense)
        .with(
            "sentence_bert_config.json",
            &json!({"max_seq_length": 8, "do_lower_case": true}),
        )
        .with(
            "config_sentence_transformers.json",
            &json!({"prompts": {"q": "a "}, "default_prompt_name": "q", "truncate_dim": 4}),
        )
        .with(
            "tokenizer_config.json",
            &json!({"model_max_length": 7, "truncation_side": "left", "cls_token": "[CLS]"}),
        );
    let mut files = tiny.files();
    let weights = BTreeMap::from([("linear.weight".to_owned(), (vec![6, 6], vec![0.5; 36]))]);
    files.insert(
        "2_Dense/model.safetensors".to_owned(),
        safetensors::file(&weights, Format::F32),
    );
    assert!(load(files.clone()).is_ok());
    let (mut served, mut refused) = (0, 0);
    for name in tiny.more.keys() {
        let whole = &files[name];
        for position in (0..whole.len()).step_by(2) {
            let mut changed = whole.clone();
            changed[position] = b"0\"]}-,1"[position / 2 % 7];
            for text in [changed, whole[..position].to_vec()] {
                let mut files = files.clone();
                files.insert(name.clone(), text);
                match load(files) {
                    Ok(model) => {
                        model.embed(&[TEXT.to_owned()]).unwrap();
                        served += 1;
                    }
                    Err(error) => {
                        let family = error.code.split('.').next();
                        assert!(matches!(family, Some("model" | "asset")), "{}", error.code);
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(
        served > 10 && refused > 100,
        "{served} served, {refused} refused"
    );
}

#[test]
fn a_message_quotes_little_of_a_strangers_text() {
    let long = "\u{1b}[2J\u{202e}".repeat(20_000);
    let prompts = json!({"default_prompt_name": long});
    for tiny in [
        TinyBert::new().with("config_sentence_transformers.json", &prompts),
        TinyBert::new().with(
            "sentence_bert_config.json",
            &json!({ "transformer_task": long }),
        ),
        TinyBert::new().with_modules(&json!({ "pooling_mode": long }), &[]),
        TinyBert::new().with("tokenizer_config.json", &json!({ "tokenizer_class": long })),
    ] {
        let message = tiny.load().err().unwrap().message;
        assert!(message.len() < 1_300, "{}", message.len());
        assert!(!message.contains(['\u{1b}', '\u{202e}']), "{message:?}");
    }
    let mut tiny = TinyBert::new();
    for key in ["hidden_act", "position_embedding_type", "auto_map"] {
        tiny.config[key] = json!(long);
        let message = tiny.load().err().unwrap().message;
        assert!(
            message.len() < 1_300 && !message.contains(['\u{1b}', '\u{202e}']),
            "{message:?}"
        );
        tiny.config[key] = json!(null);
    }
}
