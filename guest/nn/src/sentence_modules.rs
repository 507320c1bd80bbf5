//! `modules.json`: the parts of which sentence-transformers puts a model together, and the folder of each.

use ampoule_guest::{Assets, Error};
use ampoule_model_files::error;
use ampoule_model_files::json_file::{in_folder, is_there, quoted, read_json_if_there};
use serde::Deserialize;

const FILE: &str = "modules.json";

/// A module takes some hundred bytes.
const MAX_BYTES: usize = 1 << 16;

/// Modules after pooling, at most.
const MAX_MODULES: usize = 16;

/// The usual folder of pooling, for bundles that leave `modules.json` out.
const USUAL_POOLING: &str = "1_Pooling";

/// The package whose modules these are. Others come with code of their own.
const PACKAGE: &str = "sentence_transformers.";

#[derive(Deserialize)]
struct Entry {
    path: String,
    #[serde(rename = "type")]
    class: String,
}

/// A module that may follow pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A linear layer and an activation.
    Dense,
    /// A layer normalisation.
    LayerNorm,
    /// Scaling to length 1.
    Normalize,
}

/// The modules of a text encoder: a transformer, pooling, and what comes after it.
#[derive(Debug, PartialEq, Eq)]
pub struct SentenceModules {
    transformer: String,
    /// None where nothing says how to pool.
    pub(crate) pooling: Option<String>,
    pub(crate) rest: Vec<(Kind, String)>,
}

impl SentenceModules {
    /// Reads `modules.json`. Without one, the modules are the transformer in the bundle's own folder, pooling by
    /// `1_Pooling/config.json` or else by the mean, and scaling to length 1.
    ///
    /// # Errors
    ///
    /// `model.config` when it does not parse, or has modules that are not served or not in this order; `asset.*`;
    /// `model.file-size`.
    pub fn load(assets: &Assets) -> Result<Self, Error> {
        let Some(entries) = read_json_if_there::<Vec<Entry>>(assets, FILE, MAX_BYTES)? else {
            let there = is_there(assets, &in_folder(USUAL_POOLING, "config.json"))?;
            return Ok(SentenceModules {
                transformer: String::new(),
                pooling: there.then(|| USUAL_POOLING.to_owned()),
                rest: vec![(Kind::Normalize, String::new())],
            });
        };
        let mut entries = entries.iter();
        let transformer = folder_of(entries.next(), "Transformer", "first")?;
        let pooling = folder_of(entries.next(), "Pooling", "second")?;
        let mut rest = Vec::new();
        for entry in entries {
            let kind = match class(entry)? {
                "Dense" => Kind::Dense,
                "LayerNorm" => Kind::LayerNorm,
                "Normalize" => Kind::Normalize,
                // It does nothing but while a model is trained.
                "Dropout" => continue,
                _ => return Err(unserved(entry, "after pooling")),
            };
            if rest.len() == MAX_MODULES {
                return Err(error::config(format!(
                    "expected at most {MAX_MODULES} modules after pooling in `{FILE}`"
                )));
            }
            rest.push((kind, folder(entry)));
        }
        Ok(SentenceModules {
            transformer,
            pooling: Some(pooling),
            rest,
        })
    }

    /// Returns the folder of the transformer's files: mostly `""`, the bundle's own.
    pub fn transformer(&self) -> &str {
        &self.transformer
    }
}

/// Returns the folder of the module at `place`, which has to be of `class`.
fn folder_of(entry: Option<&Entry>, wanted: &str, place: &str) -> Result<String, Error> {
    let entry = entry.ok_or_else(|| {
        error::config(format!(
            "expected a module `{wanted}` as the {place} in `{FILE}`, found none"
        ))
    })?;
    if class(entry)? == wanted {
        Ok(folder(entry))
    } else {
        Err(unserved(entry, &format!("as the {place} module")))
    }
}

/// Returns the class's own name: releases moved the classes from one path to another and kept the names.
fn class(entry: &Entry) -> Result<&str, Error> {
    if entry.class.starts_with(PACKAGE) {
        Ok(entry.class.rsplit('.').next().unwrap_or_default())
    } else {
        Err(error::config(format!(
            "`{FILE}` has the module `{}`, which is code of the model's own: this guest serves modules of \
             sentence-transformers",
            quoted(&entry.class)
        )))
    }
}

fn unserved(entry: &Entry, place: &str) -> Error {
    error::config(format!(
        "this guest does not serve the module `{}` {place}; `{FILE}` may have Transformer, then Pooling, then any of \
         Dense, LayerNorm, Normalize and Dropout",
        quoted(&entry.class)
    ))
}

fn folder(entry: &Entry) -> String {
    entry.path.trim_end_matches('/').to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn load(modules: &Value, more: &[&str]) -> Result<SentenceModules, Error> {
        let mut files: BTreeMap<String, Vec<u8>> =
            BTreeMap::from([(FILE.to_owned(), modules.to_string().into_bytes())]);
        files.extend(more.iter().map(|name| ((*name).to_owned(), Vec::new())));
        SentenceModules::load(&Assets::from_source(files))
    }

    fn module(path: &str, class: &str) -> Value {
        json!({"idx": 0, "name": path, "path": path, "type": class})
    }

    #[test]
    fn modules_of_all_releases_are_known() {
        for [transformer, pooling, normalize] in [
            [
                "sentence_transformers.models.Transformer",
                "sentence_transformers.models.Pooling",
                "sentence_transformers.models.Normalize",
            ],
            [
                "sentence_transformers.base.modules.transformer.Transformer",
                "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
                "sentence_transformers.base.modules.normalize.Normalize",
            ],
        ] {
            let modules = json!([
                module("0_Transformer/", transformer),
                module("1_Pooling", pooling),
                module("2_Dense", "sentence_transformers.models.Dense"),
                module("3_Dropout", "sentence_transformers.models.Dropout"),
                module("4_LayerNorm", "sentence_transformers.models.LayerNorm"),
                module("5_Normalize", normalize),
            ]);
            let found = load(&modules, &[]).unwrap();
            assert_eq!(found.transformer(), "0_Transformer");
            assert_eq!(found.pooling.as_deref(), Some("1_Pooling"));
            let kinds: Vec<Kind> = found.rest.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, [Kind::Dense, Kind::LayerNorm, Kind::Normalize]);
        }
    }

    #[test]
    fn without_a_list_the_usual_folder_says_how_to_pool() {
        let load = |names: &[&str]| {
            let files = names.iter().map(|name| ((*name).to_owned(), Vec::new()));
            SentenceModules::load(&Assets::from_source(files.collect::<BTreeMap<_, _>>())).unwrap()
        };
        assert_eq!(load(&[]).pooling, None);
        let found = load(&["1_Pooling/config.json"]);
        assert_eq!(found.pooling.as_deref(), Some("1_Pooling"));
        assert_eq!(found.rest, [(Kind::Normalize, String::new())]);
    }

    #[test]
    fn modules_that_are_not_served_are_named() {
        let [transformer, pooling] = ["Transformer", "Pooling"]
            .map(|name| module("", &format!("sentence_transformers.models.{name}")));
        let other = |class: &str| module("2", class);
        for (modules, part) in [
            (json!([]), "`Transformer`"),
            (json!([transformer]), "`Pooling`"),
            (json!([pooling, transformer]), "models.Pooling"),
            (
                json!([
                    other("sentence_transformers.models.StaticEmbedding"),
                    pooling
                ]),
                "StaticEmbedding",
            ),
            (
                json!([other("sentence_transformers.models.Asym"), pooling]),
                "Asym",
            ),
            (
                json!([
                    transformer,
                    other("sentence_transformers.models.WeightedLayerPooling"),
                    pooling
                ]),
                "WeightedLayerPooling",
            ),
            (
                json!([
                    transformer,
                    other("sentence_transformers.models.Dense"),
                    pooling
                ]),
                "Dense",
            ),
            (json!([transformer, pooling, pooling]), "Pooling"),
            (
                json!([
                    transformer,
                    pooling,
                    other("sentence_transformers.models.LSTM")
                ]),
                "LSTM",
            ),
            (
                json!([
                    transformer,
                    other("sentence_transformers.sparse_encoder.models.SpladePooling")
                ]),
                "SpladePooling",
            ),
            (
                json!([other("custom_st.Transformer"), pooling]),
                "custom_st.Transformer",
            ),
            (
                json!([transformer, pooling, other("pylate.models.Dense")]),
                "pylate.models.Dense",
            ),
            (json!({"modules": []}), "modules.json"),
            (json!([{"path": ""}]), "type"),
        ] {
            let error = load(&modules, &[]).unwrap_err();
            assert_eq!(error.code, "model.config");
            assert!(error.message.contains(part), "{modules}: {}", error.message);
        }
        let many = vec![other("sentence_transformers.models.Normalize"); MAX_MODULES + 1];
        let many = json!([vec![transformer, pooling], many].concat());
        assert!(load(&many, &[]).unwrap_err().message.contains("at most"));
    }
}
