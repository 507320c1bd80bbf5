//! The whole network, tokenizer to vector, against its definition in f64.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_bert;

use ampoule_guest::{Model as _, TextEmbedding as _, TextTokenization as _};
use ampoule_guest_testing::reference::{assert_near, gelu};
use tiny_bert::definition::Definition;
use tiny_bert::{Format, HIDDEN, POSITIONS, TinyBert};

fn texts() -> Vec<String> {
    [
        "A model in boxes.",
        "",
        "sandbox",
        "unknown words in a sandbox. A box.",
        "in",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn embeddings_are_what_the_papers_define() {
    let tiny = TinyBert::new();
    let model = tiny.load().unwrap();
    let definition = Definition {
        tensors: tiny.tensors,
        activation: gelu,
    };
    let tokens = model.tokenize(&texts()).unwrap();
    let embeddings = model.embed(&texts()).unwrap();
    assert_eq!(embeddings.dimensions as usize, HIDDEN);
    assert_eq!(embeddings.values.len(), texts().len() * HIDDEN);
    for (found, tokens) in embeddings.values.chunks(HIDDEN).zip(&tokens) {
        assert_near(found, &definition.embed(&tokens.ids), 1e-5);
    }
}

#[test]
fn a_text_is_cut_at_the_models_length_and_keeps_its_last_special_token() {
    let model = TinyBert::new().load().unwrap();
    let texts: Vec<String> = (POSITIONS - 4..=POSITIONS + 4)
        .map(|n| "a ".repeat(n))
        .collect();
    for (text, tokens) in texts.iter().zip(model.tokenize(&texts).unwrap()) {
        let words = text.split_whitespace().count();
        assert_eq!(tokens.truncated, words + 2 > POSITIONS, "{words} words");
        let mut expected = vec![4; words.min(POSITIONS - 2)];
        expected.insert(0, 2);
        expected.push(3);
        assert_eq!(tokens.ids, expected, "{words} words");
    }
    let embeddings = model.embed(&texts).unwrap();
    let truncated: Vec<bool> = texts
        .iter()
        .map(|text| text.split_whitespace().count() + 2 > POSITIONS)
        .collect();
    assert_eq!(embeddings.truncated, truncated);
}

#[test]
fn a_tokenizer_without_special_tokens_is_cut_just_so() {
    let mut tiny = TinyBert::new();
    tiny.tokenizer["post_processor"] = serde_json::Value::Null;
    let model = tiny.load().unwrap();
    for words in [POSITIONS - 1, POSITIONS, POSITIONS + 1, POSITIONS + 5] {
        let tokens = model.tokenize(&["a ".repeat(words)]).unwrap().remove(0);
        assert_eq!(tokens.ids, vec![4; words.min(POSITIONS)]);
        assert_eq!(tokens.truncated, words > POSITIONS, "{words} words");
    }
    let error = model.embed(&[String::new()]).unwrap_err();
    assert_eq!(error.code, "input.empty");
}

#[test]
fn the_tokenizers_own_padding_and_truncation_are_ignored() {
    let model = TinyBert::new().load().unwrap();
    let texts = ["in".to_owned(), "a model in boxes".to_owned()];
    let ids: Vec<Vec<u32>> = model
        .tokenize(&texts)
        .unwrap()
        .into_iter()
        .map(|t| t.ids)
        .collect();
    assert_eq!(ids, [vec![2, 6, 3], vec![2, 4, 5, 6, 7, 8, 3]]);
}

#[test]
fn a_texts_embedding_does_not_depend_on_its_neighbours() {
    let model = TinyBert::new().load().unwrap();
    let together = model.embed(&texts()).unwrap();
    let mut tokens = 0;
    for (text, found) in texts().iter().zip(together.values.chunks(HIDDEN)) {
        let alone = model.embed(std::slice::from_ref(text)).unwrap();
        assert_eq!(alone.values, found, "{text:?}");
        tokens += alone.usage.input_tokens;
    }
    assert_eq!(together.usage.input_tokens, tokens);
    assert_eq!(together.usage.output_tokens, 0);
}

#[test]
fn no_texts_give_no_embeddings() {
    let embeddings = TinyBert::new().load().unwrap().embed(&[]).unwrap();
    assert_eq!(embeddings.dimensions as usize, HIDDEN);
    assert!(embeddings.values.is_empty() && embeddings.truncated.is_empty());
    assert_eq!(embeddings.usage.input_tokens, 0);
}

#[test]
fn weights_may_be_stored_in_half_precision_and_under_a_prefix() {
    for (format, tolerance) in [(Format::F16, 2e-2), (Format::BF16, 2e-1)] {
        let mut tiny = TinyBert::new();
        tiny.format = format;
        tiny.prefix = "bert.";
        let embeddings = tiny.load().unwrap().embed(&texts()).unwrap();
        let model = TinyBert::new().load().unwrap();
        let exact: Vec<f64> = model
            .embed(&texts())
            .unwrap()
            .values
            .iter()
            .map(|&v| f64::from(v))
            .collect();
        assert_near(&embeddings.values, &exact, tolerance);
        assert_ne!(embeddings.values, model.embed(&texts()).unwrap().values);
    }
}

#[test]
fn the_model_says_what_it_is() {
    let tiny = TinyBert::new();
    let info = tiny.load().unwrap().describe();
    assert_eq!(info.architecture, "bert");
    let properties: Vec<(&str, &str)> = info
        .properties
        .iter()
        .map(|p| (p.key.as_str(), p.value.as_str()))
        .collect();
    let (&(key, bytes), properties) = properties.split_last().unwrap();
    assert_eq!(key, "weights.bytes");
    let numbers: usize = tiny.tensors.values().map(|(_, values)| values.len()).sum();
    // The pooler's are in the file and of no use; a packed matrix is padded, which shows in one so small.
    let bytes: usize = bytes.parse().unwrap();
    assert!(
        (2 * numbers..32 * numbers).contains(&bytes),
        "{bytes} {numbers}"
    );
    assert_eq!(
        properties,
        [
            ("text.max-tokens", "9"),
            ("text.vocabulary", "12"),
            ("embedding.dimensions", "6")
        ]
    );
}
