//! `ampoule.json`: the publisher's choice of the format of weights.

use ampoule_guest::{Assets, Error};
use ampoule_kernels::Precision;
use ampoule_model_files::json_file::read_json_if_there;
use serde::Deserialize;

const FILE: &str = "ampoule.json";

/// The file has one setting.
const MAX_BYTES: usize = 1 << 12;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    weights: Weights,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Weights {
    #[default]
    F32,
    F16,
    Int8,
    Int4,
}

/// Returns the format in which matrices are to be packed: that of `ampoule.json`, such as `{"weights": "int8"}`, or
/// f32 where there is no such file. The file is the bundle's, so its publisher answers for how near the answers are.
///
/// # Errors
///
/// `model.config` when the file does not say `f32`, `f16`, `int8` or `int4`; `asset.*`; `model.file-size`.
pub fn precision(assets: &Assets) -> Result<Precision, Error> {
    let Some(settings) = read_json_if_there::<Settings>(assets, FILE, MAX_BYTES)? else {
        return Ok(Precision::F32);
    };
    Ok(match settings.weights {
        Weights::F32 => Precision::F32,
        Weights::F16 => Precision::F16,
        Weights::Int8 => Precision::Int8,
        Weights::Int4 => Precision::Int4,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn found(text: Option<&str>) -> Result<Precision, String> {
        let files = text.map(|text| (FILE.to_owned(), text.as_bytes().to_vec()));
        let assets = Assets::from_source(files.into_iter().collect::<BTreeMap<_, _>>());
        precision(&assets).map_err(|error| error.code)
    }

    #[test]
    fn a_bundle_says_how_its_weights_are_computed_with() {
        assert_eq!(found(None), Ok(Precision::F32));
        assert_eq!(found(Some("{}")), Ok(Precision::F32));
        for (name, precision) in [
            ("f32", Precision::F32),
            ("f16", Precision::F16),
            ("int8", Precision::Int8),
            ("int4", Precision::Int4),
        ] {
            let text = format!("{{\"weights\": \"{name}\"}}");
            assert_eq!(found(Some(&text)), Ok(precision));
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for text in [
            "",
            "null",
            "{\"weights\": \"int2\"}",
            "{\"weight\": \"int8\"}",
        ] {
            assert_eq!(found(Some(text)), Err("model.config".to_owned()), "{text}");
        }
        let long = " ".repeat(MAX_BYTES) + "{}";
        assert_eq!(found(Some(&long)), Err("model.file-size".to_owned()));
    }
}
