//! Parts of a made-up `tokenizer.json`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// An entry of `added_tokens`: a special token.
#[must_use]
pub fn special_token(id: usize, content: &str) -> Value {
    json!({
        "id": id, "content": content, "special": true, "single_word": false,
        "lstrip": false, "rstrip": false, "normalized": false,
    })
}

/// A `truncation` of 4 tokens, which a guest has to ignore.
#[must_use]
pub fn truncation() -> Value {
    json!({"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"})
}

/// A `padding` to 8 tokens with token 0, which a guest has to ignore.
#[must_use]
pub fn padding(token: &str) -> Value {
    json!({
        "strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": token,
    })
}

/// A `post_processor` that puts the special tokens `before` and `after` around a text, each a token with its id.
#[must_use]
pub fn template(before: &[(&str, u32)], after: &[(&str, u32)]) -> Value {
    let special = |(token, _): &(&str, u32)| json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    let mut single: Vec<Value> = before.iter().map(special).collect();
    single.push(text("A", 0));
    single.extend(after.iter().map(special));
    let tokens: BTreeMap<&str, Value> = before
        .iter()
        .chain(after)
        .map(|&(token, id)| (token, json!({"id": token, "ids": [id], "tokens": [token]})))
        .collect();
    json!({
        "type": "TemplateProcessing",
        "single": single,
        "pair": [text("A", 0), text("B", 1)],
        "special_tokens": tokens,
    })
}

/// A whole byte-level tokenizer: the tokens `special`, then the 256 bytes, then `words`, which are merged of the
/// two parts of each.
#[must_use]
pub fn byte_level(special: &[&str], words: &[[&str; 2]]) -> Value {
    let mut vocabulary: BTreeMap<String, usize> = special
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), id))
        .collect();
    let next = special.len();
    for (byte, character) in byte_characters().into_iter().enumerate() {
        vocabulary.insert(character.to_string(), next + byte);
    }
    for (index, parts) in words.iter().enumerate() {
        vocabulary.insert(parts.concat(), next + 256 + index);
    }
    let added: Vec<Value> = special
        .iter()
        .enumerate()
        .map(|(id, content)| special_token(id, content))
        .collect();
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": false, "vocab": vocabulary, "merges": words,
        },
    })
}

/// The characters that stand for bytes in a byte-level vocabulary: those that can be seen for
/// themselves, and the rest from U+0100 on (GPT-2's `bytes_to_unicode`).
#[must_use]
pub fn byte_characters() -> Vec<char> {
    let mut rest = '\u{100}'..;
    (0..=255u8)
        .filter_map(|byte| match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => Some(char::from(byte)),
            _ => rest.next(),
        })
        .collect()
}
