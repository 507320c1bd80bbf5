//! Tokens are those of the publisher's library where `tokenizer_config.json` and `tokenizer.json` say two things.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_bert;

use ampoule_guest::TextTokenization as _;
use serde_json::{Value, json};
use tiny_bert::TinyBert;

fn ids(tiny: &TinyBert, text: &str) -> Vec<u32> {
    let tokens = tiny.load().unwrap().tokenize(&[text.to_owned()]).unwrap();
    tokens.into_iter().next().unwrap().ids
}

#[track_caller]
fn refused(tiny: &TinyBert, parts: &[&str]) {
    let error = tiny.load().err().unwrap();
    assert!(error.code.starts_with("model."), "{}", error.code);
    for part in parts {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
}

/// A tokenizer whose file lowercases or not, with these settings beside it.
fn tiny(lowercase: bool, settings: &Value) -> TinyBert {
    let mut tiny = TinyBert::new().with("tokenizer_config.json", settings);
    tiny.tokenizer["normalizer"]["lowercase"] = json!(lowercase);
    tiny
}

const LOWER: [u32; 4] = [2, 4, 7, 3];
const CASED: [u32; 4] = [2, 1, 1, 3];

#[test]
fn a_text_is_lowercased_where_transformers_does_it() {
    for (lowercase, settings, expected) in [
        (
            true,
            json!({"tokenizer_class": "BertTokenizer", "do_lower_case": false}),
            CASED,
        ),
        (
            false,
            json!({"tokenizer_class": "BertTokenizer", "do_lower_case": true}),
            LOWER,
        ),
        (
            false,
            json!({"tokenizer_class": "BertTokenizerFast", "do_lower_case": false}),
            CASED,
        ),
        // The class's own default, where the file is silent.
        (false, json!({"tokenizer_class": "BertTokenizer"}), LOWER),
        (false, json!({}), LOWER),
        (true, json!({}), LOWER),
        // Classes that go by `tokenizer.json`.
        (
            false,
            json!({"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": true}),
            CASED,
        ),
        (
            true,
            json!({"tokenizer_class": "TokenizersBackend", "do_lower_case": false}),
            LOWER,
        ),
    ] {
        assert_eq!(
            ids(&tiny(lowercase, &settings), "A Box"),
            expected,
            "{lowercase} {settings}"
        );
    }
    // The class that `config.json` names counts where the tokenizer's own file names none.
    let mut other = tiny(false, &json!({}));
    other.config["tokenizer_class"] = json!("PreTrainedTokenizerFast");
    assert_eq!(ids(&other, "A Box"), CASED);
    // Without the file there is nothing to differ from.
    let mut alone = TinyBert::new();
    alone.tokenizer["normalizer"]["lowercase"] = json!(false);
    assert_eq!(ids(&alone, "A Box"), CASED);
}

#[test]
fn accents_and_chinese_characters_are_treated_as_transformers_does() {
    for (settings, accented, chinese) in [
        (json!({}), 7, vec![1, 7]),
        (json!({"strip_accents": false}), 1, vec![1, 7]),
        (json!({"do_lower_case": false}), 1, vec![1, 7]),
        (
            json!({"do_lower_case": false, "strip_accents": true}),
            7,
            vec![1, 7],
        ),
        (json!({"tokenize_chinese_chars": false}), 7, vec![1]),
        (
            json!({"strip_accents": null, "tokenize_chinese_chars": true}),
            7,
            vec![1, 7],
        ),
    ] {
        let tiny = tiny(true, &settings);
        assert_eq!(ids(&tiny, "b\u{f3}x"), [2, accented, 3], "{settings}");
        let expected = [vec![2], chinese, vec![3]].concat();
        assert_eq!(ids(&tiny, "\u{7bb1}box"), expected, "{settings}");
    }
    for key in ["do_lower_case", "strip_accents", "tokenize_chinese_chars"] {
        refused(&tiny(true, &json!({ key: "yes" })), &[key, "yes"]);
    }
}

#[test]
fn special_tokens_in_a_text_are_words_where_the_settings_say_so() {
    assert_eq!(ids(&tiny(true, &json!({})), "[SEP]"), [2, 3, 3]);
    let split = json!({"split_special_tokens": true});
    assert_eq!(ids(&tiny(true, &split), "[SEP]"), [2, 1, 1, 1, 3]);
    assert_eq!(
        ids(
            &tiny(true, &json!({"split_special_tokens": false})),
            "[SEP]"
        ),
        [2, 3, 3]
    );
}

#[test]
fn a_class_that_is_not_known_is_refused_by_name() {
    for class in [
        "BertJapaneseTokenizer",
        "MPNetTokenizer",
        "RobertaTokenizer",
        "MyTokenizer",
    ] {
        refused(
            &tiny(true, &json!({ "tokenizer_class": class })),
            &["tokenizer_class", class],
        );
    }
    let code = json!({"auto_map": {"AutoTokenizer": ["my_code.MyTokenizer", null]}});
    refused(&tiny(true, &code), &["auto_map", "my_code.MyTokenizer"]);
    refused(
        &tiny(true, &json!({"tokenizer_class": 7})),
        &["tokenizer_class"],
    );
}

#[test]
fn a_berts_tokenizer_may_be_of_another_kind() {
    // As multilingual encoders have it: BERT's network, and pieces of words from SentencePiece.
    let pieces: Vec<Value> = [
        "<pad>",
        "<unk>",
        "<s>",
        "</s>",
        "\u{2581}a",
        "\u{2581}box",
        "es",
    ]
    .iter()
    .map(|piece| json!([piece, -1.0]))
    .collect();
    let multilingual = |settings: &Value| {
        let mut tiny = TinyBert::new().with("tokenizer_config.json", settings);
        tiny.tokenizer["added_tokens"] = json!([]);
        tiny.tokenizer["normalizer"] = json!({"type": "NFKC"});
        tiny.tokenizer["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true},
        ]});
        tiny.tokenizer["model"] =
            json!({"type": "Unigram", "unk_id": 1, "vocab": pieces, "byte_fallback": false});
        tiny
    };
    for settings in [
        json!({"tokenizer_class": "XLMRobertaTokenizer", "do_lower_case": true, "model_max_length": 9}),
        json!({"tokenizer_class": "XLMRobertaTokenizerFast"}),
        json!({"tokenizer_class": "PreTrainedTokenizerFast"}),
        json!({}),
    ] {
        let found = ids(&multilingual(&settings), "a boxes");
        assert_eq!(found, [2, 4, 5, 6, 3], "{settings}");
    }
    let wrong = json!({"tokenizer_class": "BertTokenizer"});
    refused(&multilingual(&wrong), &["model", "BERT"]);
}

#[test]
fn what_releases_of_transformers_take_from_two_places_has_to_be_the_same() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 8] = [
        ("normalizer", |t| {
            t["normalizer"] = json!({"type": "Lowercase"})
        }),
        ("normalizer", |t| t["normalizer"] = Value::Null),
        ("normalizer", |t| {
            t["normalizer"]["clean_text"] = json!(false)
        }),
        ("pre-tokenizer", |t| {
            t["pre_tokenizer"] = json!({"type": "Whitespace"})
        }),
        ("post-processor", |t| t["post_processor"] = Value::Null),
        ("model", |t| {
            t["model"]["max_input_chars_per_word"] = json!(200)
        }),
        ("model", |t| {
            t["model"]["continuing_subword_prefix"] = json!("@@")
        }),
        ("model", |t| t["model"]["unk_token"] = json!("[PAD]")),
    ];
    for (part, change) in changes {
        let settings = json!({"tokenizer_class": "BertTokenizer"});
        let mut by_class = tiny(true, &settings);
        change(&mut by_class.tokenizer);
        refused(&by_class, &["tokenizer_config.json", part]);
        let mut by_file = tiny(true, &json!({"tokenizer_class": "PreTrainedTokenizerFast"}));
        change(&mut by_file.tokenizer);
        assert!(by_file.load().is_ok(), "{part}");
    }
    // Special tokens by another name are those of the template, whichever way they are written.
    refused(
        &tiny(true, &json!({"cls_token": "[PAD]"})),
        &["post-processor"],
    );
    let named = json!({"cls_token": {"content": "[CLS]", "lstrip": false}, "sep_token": "[SEP]"});
    assert_eq!(ids(&tiny(true, &named), "a box"), LOWER);
}

#[test]
fn added_tokens_have_to_be_in_both_files() {
    let listed = |id: &str, content: &str| {
        let token = json!({"content": content, "special": true});
        tiny(
            true,
            &json!({"added_tokens_decoder": {"0": {"content": "[PAD]"}, id: token}}),
        )
    };
    assert_eq!(ids(&listed("3", "[SEP]"), "a box"), LOWER);
    for (id, content) in [
        ("3", "[END]"),
        ("12", "<query>"),
        ("x", "[SEP]"),
        ("-1", "[SEP]"),
    ] {
        refused(&listed(id, content), &["tokenizer_config.json", content]);
    }
    refused(
        &tiny(true, &json!({"added_tokens_decoder": [1]})),
        &["added_tokens_decoder"],
    );
}

#[test]
fn patterns_that_pythons_engine_reads_otherwise_are_refused_by_their_part() {
    let split = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    let with = |pre_tokenizer: Value| {
        let mut tiny = TinyBert::new();
        tiny.tokenizer["pre_tokenizer"] = pre_tokenizer;
        tiny
    };
    for (pattern, part) in [
        (r"\w+|[^\w\s]+", "\\w"),
        (r"\p{N}{1,3}+", "}+"),
        (r"^\s+", "^"),
        (r"\s+$", "$"),
        (r"[[:alpha:]]+", "[:"),
        (r"\bbox\b", "\\b"),
    ] {
        refused(&with(split(pattern)), &["tokenizer.json", part]);
        let nested = json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, split(pattern)]});
        refused(&with(nested), &[part]);
        let mut replacing = TinyBert::new();
        let replace = json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": " "});
        replacing.tokenizer["normalizer"] = json!({"type": "Sequence", "normalizers": [replace]});
        refused(&replacing, &[part]);
    }
    let gpt2 = r"'s|'t| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    assert!(with(split(gpt2)).load().is_ok());
    // A text is not a pattern.
    let literal = json!({"type": "Split", "pattern": {"String": "$"}, "behavior": "Isolated", "invert": false});
    assert!(with(literal).load().is_ok());
}
