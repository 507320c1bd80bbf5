//! Pooling: from a row a token to one vector a text, as sentence-transformers' module `Pooling` describes it
//! (Reimers and Gurevych, "Sentence-BERT", 2019; Muennighoff, "SGPT", 2022, for the weighted mean).

use ampoule_guest::{Assets, Error};
use ampoule_kernels::add;
use ampoule_model_files::error;
use ampoule_model_files::json_file::{in_folder, quoted, read_json, refuse_others};
use serde_json::{Map, Value};

/// The configuration is some ten lines.
const MAX_BYTES: usize = 1 << 16;

/// Each mode twice over, and more: it bounds the length of a vector.
const MAX_MODES: usize = 16;

/// The old spelling of each mode, a boolean, in the order in which the parts of a vector follow one another.
const OLD_KEYS: [(&str, PoolingMode); 6] = [
    ("pooling_mode_cls_token", PoolingMode::First),
    ("pooling_mode_max_tokens", PoolingMode::Max),
    ("pooling_mode_mean_tokens", PoolingMode::Mean),
    (
        "pooling_mode_mean_sqrt_len_tokens",
        PoolingMode::MeanBySqrtLength,
    ),
    (
        "pooling_mode_weightedmean_tokens",
        PoolingMode::WeightedMean,
    ),
    ("pooling_mode_lasttoken", PoolingMode::Last),
];

/// One way to make a vector `[hidden]` of rows `[tokens, hidden]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolingMode {
    /// The first row: that of the token `[CLS]` in BERT.
    First,
    /// The largest number of each column.
    Max,
    /// The mean of each column.
    Mean,
    /// The sum of each column, divided by the square root of the number of rows.
    MeanBySqrtLength,
    /// The mean of each column, where the first row counts once, the second twice, and so on.
    WeightedMean,
    /// The last row.
    Last,
}

/// One mode or several, whose vectors follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooling {
    modes: Vec<PoolingMode>,
    includes_prompt: bool,
}

impl Pooling {
    /// Pools by the mean of all rows.
    pub fn mean() -> Self {
        Pooling {
            modes: vec![PoolingMode::Mean],
            includes_prompt: true,
        }
    }

    /// Reads `config.json` of the module's folder: `pooling_mode` (a name or a list of names), or else the
    /// booleans `pooling_mode_*` of releases before 6, of which several may be true. The default is the mean, as in
    /// release 6.
    ///
    /// # Errors
    ///
    /// `model.config` when it does not parse, asks for a mode that is not here, or is for rows that are not
    /// `hidden` wide; `asset.*`; `model.file-size`.
    pub fn load(assets: &Assets, folder: &str, hidden: usize) -> Result<Self, Error> {
        let file = in_folder(folder, "config.json");
        let settings: Map<String, Value> = read_json(assets, &file, MAX_BYTES)?;
        for key in ["word_embedding_dimension", "embedding_dimension"] {
            if let Some(width) = settings.get(key)
                && width.as_u64() != Some(hidden as u64)
            {
                return Err(error::config(format!(
                    "expected `{key}` {hidden}, as `hidden_size` has it, in `{file}`, found {}",
                    quoted(&width.to_string())
                )));
            }
        }
        let modes = match settings.get("pooling_mode") {
            Some(Value::String(name)) => vec![mode(name, &file)?],
            Some(Value::Array(names)) if (1..=MAX_MODES).contains(&names.len()) => names
                .iter()
                .map(|name| mode(name.as_str().unwrap_or("a value that is no name"), &file))
                .collect::<Result<_, _>>()?,
            Some(other) => {
                return Err(error::config(format!(
                    "expected `pooling_mode` as a name or a list of 1 to {MAX_MODES} names in `{file}`, found {}",
                    quoted(&other.to_string())
                )));
            }
            None => old_modes(&settings, &file)?,
        };
        let includes_prompt = flag(&settings, "include_prompt", &file)?.unwrap_or(true);
        let known: Vec<&str> = OLD_KEYS
            .iter()
            .map(|(key, _)| *key)
            .chain([
                "word_embedding_dimension",
                "embedding_dimension",
                "pooling_mode",
                "include_prompt",
            ])
            .collect();
        refuse_others(&settings, &known, &file)?;
        Ok(Pooling {
            modes,
            includes_prompt,
        })
    }

    /// Returns the length of the vector.
    pub fn dimensions(&self, hidden: usize) -> usize {
        self.modes.len() * hidden
    }

    /// Returns whether the rows of a prompt count.
    pub fn includes_prompt(&self) -> bool {
        self.includes_prompt
    }

    /// Returns the vector `[modes · hidden]` of the rows `[tokens, hidden]`, of which the first `skipped` do not
    /// count, and at least one does.
    pub fn apply(&self, rows: &[f32], hidden: usize, skipped: usize) -> Vec<f32> {
        let mut vector = Vec::with_capacity(self.dimensions(hidden));
        for mode in &self.modes {
            let from = vector.len();
            vector.resize(from + hidden, 0.0);
            mode.apply(&rows[skipped * hidden..], skipped, &mut vector[from..]);
        }
        vector
    }
}

impl PoolingMode {
    /// Writes the vector of `rows` to `vector`, which is all 0 and as long as a row. `skipped` rows came before these:
    /// a weighted mean counts them.
    fn apply(self, rows: &[f32], skipped: usize, vector: &mut [f32]) {
        let hidden = vector.len();
        let rows = rows.chunks_exact(hidden);
        let count = rows.len() as f32;
        match self {
            PoolingMode::First => rows.take(1).for_each(|row| vector.copy_from_slice(row)),
            PoolingMode::Last => rows
                .rev()
                .take(1)
                .for_each(|row| vector.copy_from_slice(row)),
            PoolingMode::Max => {
                vector.fill(f32::NEG_INFINITY);
                for row in rows {
                    for (most, value) in vector.iter_mut().zip(row) {
                        // Not `f32::max`, which would hide what is no number.
                        if *value > *most || value.is_nan() {
                            *most = *value;
                        }
                    }
                }
            }
            PoolingMode::Mean | PoolingMode::MeanBySqrtLength => {
                rows.for_each(|row| add(vector, row));
                let divisor = if self == PoolingMode::Mean {
                    count
                } else {
                    count.sqrt()
                };
                vector.iter_mut().for_each(|value| *value /= divisor);
            }
            PoolingMode::WeightedMean => {
                let mut weights = 0.0;
                for (index, row) in rows.enumerate() {
                    let weight = (skipped + index + 1) as f32;
                    weights += weight;
                    for (sum, value) in vector.iter_mut().zip(row) {
                        *sum += weight * value;
                    }
                }
                vector.iter_mut().for_each(|value| *value /= weights);
            }
        }
    }
}

fn mode(name: &str, file: &str) -> Result<PoolingMode, Error> {
    Ok(match name {
        "cls" => PoolingMode::First,
        "max" => PoolingMode::Max,
        "mean" => PoolingMode::Mean,
        "mean_sqrt_len_tokens" => PoolingMode::MeanBySqrtLength,
        "weightedmean" => PoolingMode::WeightedMean,
        "lasttoken" => PoolingMode::Last,
        other => {
            return Err(error::config(format!(
                "this guest serves `pooling_mode` cls, max, mean, mean_sqrt_len_tokens, weightedmean and \
                 lasttoken; `{file}` has `{}`",
                quoted(other)
            )));
        }
    })
}

fn old_modes(settings: &Map<String, Value>, file: &str) -> Result<Vec<PoolingMode>, Error> {
    let mut modes = Vec::new();
    for (key, mode) in OLD_KEYS {
        if flag(settings, key, file)? == Some(true) {
            modes.push(mode);
        }
    }
    if modes.is_empty() {
        modes.push(PoolingMode::Mean);
    }
    Ok(modes)
}

fn flag(settings: &Map<String, Value>, key: &str, file: &str) -> Result<Option<bool>, Error> {
    match settings.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(on)) => Ok(Some(*on)),
        Some(other) => Err(error::config(format!(
            "expected `{key}` as `true` or `false` in `{file}`, found {}",
            quoted(&other.to_string())
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn load(config: &Value) -> Result<Pooling, String> {
        let files = [(
            "1_Pooling/config.json".to_owned(),
            config.to_string().into_bytes(),
        )];
        let assets = Assets::from_source(BTreeMap::from(files));
        Pooling::load(&assets, "1_Pooling", 2).map_err(|error| {
            assert_eq!(error.code, "model.config");
            error.message
        })
    }

    const ROWS: [f32; 6] = [1.0, -4.0, 3.0, -2.0, 5.0, 0.0];

    fn pooled(config: &Value) -> Vec<f32> {
        load(config).unwrap().apply(&ROWS, 2, 0)
    }

    #[test]
    fn each_way_to_pool_has_an_old_and_a_new_name() {
        let third = 3f32.sqrt();
        for (old, new, expected) in [
            ("pooling_mode_cls_token", "cls", [1.0, -4.0]),
            ("pooling_mode_max_tokens", "max", [5.0, 0.0]),
            ("pooling_mode_mean_tokens", "mean", [3.0, -2.0]),
            (
                "pooling_mode_mean_sqrt_len_tokens",
                "mean_sqrt_len_tokens",
                [9.0 / third, -6.0 / third],
            ),
            (
                "pooling_mode_weightedmean_tokens",
                "weightedmean",
                [22.0 / 6.0, -8.0 / 6.0],
            ),
            ("pooling_mode_lasttoken", "lasttoken", [5.0, 0.0]),
        ] {
            assert_eq!(pooled(&json!({ "pooling_mode": new })), expected, "{new}");
            assert_eq!(pooled(&json!({ "pooling_mode": [new] })), expected, "{new}");
            let only = json!({ old: true, "word_embedding_dimension": 2 });
            assert_eq!(pooled(&only), expected, "{old}");
        }
    }

    #[test]
    fn several_ways_to_pool_follow_one_another() {
        // Old keys have an order of their own, whatever the file's.
        let old = json!({
            "pooling_mode_lasttoken": true, "pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true,
        });
        assert_eq!(pooled(&old), [1.0, -4.0, 3.0, -2.0, 5.0, 0.0]);
        assert_eq!(load(&old).unwrap().dimensions(2), 6);
        let new = json!({"pooling_mode": ["max", "cls"], "embedding_dimension": 2});
        assert_eq!(pooled(&new), [5.0, 0.0, 1.0, -4.0]);
        // The new key decides where both are.
        let both = json!({"pooling_mode": "cls", "pooling_mode_mean_tokens": true});
        assert_eq!(pooled(&both), [1.0, -4.0]);
    }

    #[test]
    fn no_way_to_pool_is_the_mean() {
        let none = json!({"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": false});
        for config in [json!({}), none] {
            assert_eq!(load(&config), Ok(Pooling::mean()), "{config}");
        }
    }

    #[test]
    fn rows_of_a_prompt_do_not_count_where_the_file_says_so() {
        let pooling = |mode: &str| {
            let config = json!({"pooling_mode": mode, "include_prompt": false});
            let pooling = load(&config).unwrap();
            assert!(!pooling.includes_prompt());
            pooling.apply(&ROWS, 2, 1)
        };
        assert_eq!(pooling("cls"), [3.0, -2.0]);
        assert_eq!(pooling("mean"), [4.0, -1.0]);
        // The rows that count keep the weights of their places.
        assert_eq!(pooling("weightedmean"), [21.0 / 5.0, -4.0 / 5.0]);
        assert!(load(&json!({})).unwrap().includes_prompt());
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (config, part) in [
            (json!({"pooling_mode": "attention"}), "attention"),
            (json!({"pooling_mode": ["mean", "median"]}), "median"),
            (json!({"pooling_mode": []}), "pooling_mode"),
            (json!({"pooling_mode": vec!["mean"; 17]}), "16"),
            (json!({"pooling_mode": 1}), "pooling_mode"),
            (json!({"pooling_mode": [1]}), "pooling_mode"),
            (
                json!({"pooling_mode_cls_token": 1}),
                "pooling_mode_cls_token",
            ),
            (
                json!({"pooling_mode_median_tokens": true}),
                "pooling_mode_median_tokens",
            ),
            (
                json!({"word_embedding_dimension": 3}),
                "word_embedding_dimension",
            ),
            (json!({"embedding_dimension": -1}), "embedding_dimension"),
            (json!({"include_prompt": "no"}), "include_prompt"),
        ] {
            let message = load(&config).unwrap_err();
            assert!(message.contains(part), "{config}: {message}");
        }
        assert!(load(&json!({"pooling_mode_median_tokens": false})).is_ok());
        assert!(load(&json!([])).is_err());
    }

    #[test]
    fn what_is_no_number_is_not_hidden_by_the_largest() {
        let pooling = load(&json!({"pooling_mode": "max"})).unwrap();
        for rows in [[f32::NAN, 1.0, 2.0, 1.0], [2.0, 1.0, f32::NAN, 1.0]] {
            assert!(pooling.apply(&rows, 2, 0)[0].is_nan(), "{rows:?}");
        }
    }
}
