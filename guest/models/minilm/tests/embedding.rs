//! The whole network, tokenizer to vector, against its definition in f64.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_bert;

use ampoule_guest::{Model as _, TextEmbedding as _, TextTokenization as _};
use ampoule_guest_testing::normal_distribution;
use tiny_bert::{EPSILON, Format, HEADS, HIDDEN, LAYERS, POSITIONS, Tensors, TinyBert};

type Rows = Vec<Vec<f64>>;

/// The definition, as the papers have it.
struct Definition(Tensors);

impl Definition {
    fn vector(&self, name: &str) -> Vec<f64> {
        self.0[name].1.iter().map(|&v| f64::from(v)).collect()
    }

    fn rows(&self, name: &str) -> Rows {
        let columns = self.0[name].0[1];
        self.vector(name)
            .chunks(columns)
            .map(<[f64]>::to_vec)
            .collect()
    }

    fn linear(&self, name: &str, x: &Rows) -> Rows {
        let (weights, bias) = (
            self.rows(&format!("{name}.weight")),
            self.vector(&format!("{name}.bias")),
        );
        let row = |x: &Vec<f64>| {
            weights
                .iter()
                .zip(&bias)
                .map(|(w, b)| dot(w, x) + b)
                .collect::<Vec<_>>()
        };
        x.iter().map(row).collect()
    }

    fn norm(&self, name: &str, x: &Rows) -> Rows {
        let (weight, bias) = (
            self.vector(&format!("{name}.weight")),
            self.vector(&format!("{name}.bias")),
        );
        x.iter()
            .map(|row| {
                let mean = row.iter().sum::<f64>() / row.len() as f64;
                let variance =
                    row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / row.len() as f64;
                (0..row.len())
                    .map(|i| (row[i] - mean) / (variance + EPSILON).sqrt() * weight[i] + bias[i])
                    .collect()
            })
            .collect()
    }

    fn attention(&self, name: &str, x: &Rows) -> Rows {
        let [query, key, value] =
            ["query", "key", "value"].map(|part| self.linear(&format!("{name}.self.{part}"), x));
        let width = HIDDEN / HEADS;
        let mut context = vec![vec![0.0; HIDDEN]; x.len()];
        for head in 0..HEADS {
            let part = head * width..(head + 1) * width;
            for (token, query) in query.iter().enumerate() {
                let powers: Vec<f64> = key
                    .iter()
                    .map(|key| dot(&query[part.clone()], &key[part.clone()]))
                    .map(|score| (score / (width as f64).sqrt()).exp())
                    .collect();
                let sum: f64 = powers.iter().sum();
                for (power, value) in powers.iter().zip(&value) {
                    for column in part.clone() {
                        context[token][column] += power / sum * value[column];
                    }
                }
            }
        }
        let update = self.linear(&format!("{name}.output.dense"), &context);
        self.norm(&format!("{name}.output.LayerNorm"), &sum(x, &update))
    }

    fn embed(&self, ids: &[u32]) -> Vec<f64> {
        let [words, positions, segments] = ["word", "position", "token_type"]
            .map(|table| self.rows(&format!("embeddings.{table}_embeddings.weight")));
        let mut x: Rows = ids
            .iter()
            .zip(&positions)
            .map(|(&id, position)| {
                (0..HIDDEN)
                    .map(|i| words[id as usize][i] + position[i] + segments[0][i])
                    .collect()
            })
            .collect();
        x = self.norm("embeddings.LayerNorm", &x);
        for layer in 0..LAYERS {
            let name = format!("encoder.layer.{layer}");
            x = self.attention(&format!("{name}.attention"), &x);
            let mut middle = self.linear(&format!("{name}.intermediate.dense"), &x);
            for value in middle.iter_mut().flatten() {
                *value *= normal_distribution(*value);
            }
            let update = self.linear(&format!("{name}.output.dense"), &middle);
            x = self.norm(&format!("{name}.output.LayerNorm"), &sum(&x, &update));
        }
        let mean: Vec<f64> = (0..HIDDEN)
            .map(|i| x.iter().map(|row| row[i]).sum::<f64>() / x.len() as f64)
            .collect();
        let length = dot(&mean, &mean).sqrt();
        mean.iter().map(|v| v / length).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sum(a: &Rows, b: &Rows) -> Rows {
    let add = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect();
    a.iter().zip(b).map(add).collect()
}

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

#[track_caller]
fn assert_near(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (&found, &expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(found) - expected).abs() < tolerance,
            "{found} for {expected}"
        );
    }
}

#[test]
fn embeddings_are_what_the_papers_define() {
    let tiny = TinyBert::new();
    let model = tiny.load().unwrap();
    let definition = Definition(tiny.tensors);
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
