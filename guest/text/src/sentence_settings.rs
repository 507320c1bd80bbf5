//! sentence-transformers' own settings: how long a text may be, what is put in front of it, and how much of a
//! vector is the answer.

use ampoule_guest::{Assets, Error};
use ampoule_model_files::error;
use ampoule_model_files::json_file::{
    in_folder, is_off, length, quoted, read_json_if_there, refuse_others, unserved,
};
use serde_json::{Map, Value};

/// Both files are a few KiB; prompts may be some sentences.
const MAX_BYTES: usize = 1 << 18;

/// Names of the file that says how texts are read, in the order in which they are looked for.
const TRANSFORMER_FILES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

const MODEL_FILE: &str = "config_sentence_transformers.json";

/// Arguments for loading a network that change nothing of what it computes, but for the last bits of numbers.
const HARMLESS_MODEL_ARGUMENTS: [&str; 9] = [
    "add_pooling_layer",
    "attn_implementation",
    "device_map",
    "dtype",
    "low_cpu_mem_usage",
    "offload_folder",
    "torch_dtype",
    "trust_remote_code",
    "use_safetensors",
];

/// Arguments for loading a tokenizer that change nothing of the ids of one text.
const HARMLESS_TOKENIZER_ARGUMENTS: [&str; 6] = [
    "clean_up_tokenization_spaces",
    "pad_to_multiple_of",
    "padding",
    "padding_side",
    "trust_remote_code",
    "use_fast",
];

/// Settings of reading texts: `sentence_bert_config.json`, or the same file by its names for other families.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadingSettings {
    /// The longest input in tokens, special tokens included, where the file says it.
    pub(crate) max_tokens: Option<usize>,
    /// Lowercases texts before the tokenizer's own normalisation.
    pub(crate) lowercase: bool,
}

impl ReadingSettings {
    /// Reads the file in the transformer's `folder`; without one there are no such settings.
    ///
    /// # Errors
    ///
    /// `model.config` when it does not parse or asks for what is not served; `asset.*`; `model.file-size`.
    pub(crate) fn load(assets: &Assets, folder: &str) -> Result<Self, Error> {
        for name in TRANSFORMER_FILES {
            let file = in_folder(folder, name);
            // An empty one is passed over, as the library does.
            match read_json_if_there::<Map<String, Value>>(assets, &file, MAX_BYTES)? {
                Some(settings) if !settings.is_empty() => return Self::read(&settings, &file),
                _ => {}
            }
        }
        Ok(Self::default())
    }

    fn read(settings: &Map<String, Value>, file: &str) -> Result<Self, Error> {
        let mut max_tokens = length(settings, "max_seq_length", file)?;
        for (key, value) in settings.iter().filter(|(_, value)| !is_off(value)) {
            match (key.as_str(), value) {
                ("max_seq_length" | "do_lower_case" | "unpad_inputs", _) => {}
                ("transformer_task", value) if value == "feature-extraction" => {}
                ("module_output_name", value) if value == "token_embeddings" => {}
                ("modality_config", Value::Object(modalities)) if is_text_alone(modalities) => {}
                ("model_args" | "model_kwargs", Value::Object(arguments)) => {
                    refuse_others(arguments, &HARMLESS_MODEL_ARGUMENTS, file)?;
                }
                ("config_args" | "config_kwargs", Value::Object(arguments)) => {
                    refuse_others(arguments, &["trust_remote_code"], file)?;
                }
                ("tokenizer_args" | "processor_kwargs", Value::Object(arguments)) => {
                    let mut arguments = arguments.clone();
                    // It goes before `max_seq_length`.
                    if let Some(length) = length(&arguments, "model_max_length", file)? {
                        max_tokens = Some(length);
                    }
                    arguments.remove("model_max_length");
                    refuse_others(&arguments, &HARMLESS_TOKENIZER_ARGUMENTS, file)?;
                }
                (key, value) => return Err(unserved(file, key, value)),
            }
        }
        let lowercase = match settings.get("do_lower_case") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(on)) => *on,
            Some(other) => return Err(unserved(file, "do_lower_case", other)),
        };
        Ok(ReadingSettings {
            max_tokens,
            lowercase,
        })
    }
}

/// Returns whether a model reads texts, and gives the last layer's rows for them.
fn is_text_alone(modalities: &Map<String, Value>) -> bool {
    let Some(Value::Object(text)) = modalities.get("text") else {
        return false;
    };
    modalities.len() == 1
        && text.get("method").is_some_and(|method| method == "forward")
        && text
            .get("method_output_name")
            .is_some_and(|name| name == "last_hidden_state")
}

/// Settings of all texts and vectors: `config_sentence_transformers.json`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AnswerSettings {
    /// The prompt that `default_prompt_name` names, which goes in front of each text. Empty where there is none.
    pub prompt: String,
    /// Numbers of a vector, from its first, that are the answer, where the file says it.
    pub dimensions: Option<usize>,
}

impl AnswerSettings {
    /// Reads the file; without one there are no such settings. Prompts by other names are for callers who ask
    /// for them, which the contract has no word for: such a caller puts the prompt in front of the text.
    ///
    /// # Errors
    ///
    /// `model.config` when it does not parse or asks for what is not served; `asset.*`; `model.file-size`.
    pub fn load(assets: &Assets) -> Result<Self, Error> {
        let Some(settings) =
            read_json_if_there::<Map<String, Value>>(assets, MODEL_FILE, MAX_BYTES)?
        else {
            return Ok(Self::default());
        };
        if let Some(kind) = settings.get("model_type").filter(|kind| !is_off(kind))
            && kind != "SentenceTransformer"
        {
            return Err(unserved(MODEL_FILE, "model_type", kind));
        }
        Ok(AnswerSettings {
            prompt: prompt(&settings)?,
            dimensions: length(&settings, "truncate_dim", MODEL_FILE)?,
        })
    }
}

fn prompt(settings: &Map<String, Value>) -> Result<String, Error> {
    let name = match settings.get("default_prompt_name") {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::String(name)) => name,
        Some(other) => return Err(unserved(MODEL_FILE, "default_prompt_name", other)),
    };
    match settings
        .get("prompts")
        .and_then(|prompts| prompts.get(name))
    {
        Some(Value::String(prompt)) => Ok(prompt.clone()),
        Some(Value::Null) => Ok(String::new()),
        // The library has these two itself, empty.
        None if name == "query" || name == "document" => Ok(String::new()),
        _ => Err(error::config(format!(
            "expected a text for the prompt `{}`, which `default_prompt_name` names, among `prompts` in \
             `{MODEL_FILE}`",
            quoted(name)
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn assets(name: &str, settings: &Value) -> Assets {
        let files = [(name.to_owned(), settings.to_string().into_bytes())];
        Assets::from_source(BTreeMap::from(files))
    }

    fn reading(settings: &Value) -> Result<ReadingSettings, Error> {
        ReadingSettings::load(&assets(TRANSFORMER_FILES[0], settings), "")
    }

    #[test]
    fn a_length_is_read_from_each_of_its_places() {
        for (settings, expected) in [
            (json!({}), None),
            (json!({"max_seq_length": null}), None),
            (json!({"max_seq_length": 256}), Some(256)),
            (
                json!({"tokenizer_args": {"model_max_length": 128}}),
                Some(128),
            ),
            (
                json!({"max_seq_length": 256, "processor_kwargs": {"model_max_length": 64}}),
                Some(64),
            ),
            (json!({"max_seq_length": 1e30}), Some(usize::MAX)),
        ] {
            assert_eq!(
                reading(&settings).unwrap().max_tokens,
                expected,
                "{settings}"
            );
        }
        for name in TRANSFORMER_FILES {
            let assets = assets(
                &format!("0_Transformer/{name}"),
                &json!({"max_seq_length": 9}),
            );
            let found = ReadingSettings::load(&assets, "0_Transformer").unwrap();
            assert_eq!(found.max_tokens, Some(9), "{name}");
        }
    }

    #[test]
    fn a_length_that_is_none_is_refused() {
        for value in [
            json!(0),
            json!(-1),
            json!("256"),
            json!(2.5),
            json!([256]),
            json!(true),
        ] {
            let error = reading(&json!({"max_seq_length": value})).unwrap_err();
            assert_eq!(error.code, "model.config", "{value}");
            assert!(
                error.message.contains("max_seq_length"),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn what_release_six_writes_for_a_text_encoder_is_served() {
        let settings = json!({
            "transformer_task": "feature-extraction",
            "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
            "module_output_name": "token_embeddings",
            "processing_kwargs": {}, "unpad_inputs": false, "query_length": null,
            "model_args": {"torch_dtype": "bfloat16"},
        });
        assert_eq!(reading(&settings).unwrap(), ReadingSettings::default());
        assert!(reading(&json!({"do_lower_case": true})).unwrap().lowercase);
    }

    #[test]
    fn what_would_change_the_rows_is_refused_by_name() {
        for (settings, part) in [
            (json!({"transformer_task": "fill-mask"}), "transformer_task"),
            (
                json!({"module_output_name": "sentence_embedding"}),
                "module_output_name",
            ),
            (
                json!({"modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}}),
                "modality_config",
            ),
            (
                json!({"modality_config": {"image": {"method": "forward", "method_output_name": "last_hidden_state"}}}),
                "modality_config",
            ),
            (
                json!({"processing_kwargs": {"text": {"max_length": 9}}}),
                "processing_kwargs",
            ),
            (
                json!({"query_expansion": {"strategy": "fixed"}}),
                "query_expansion",
            ),
            (json!({"query_length": 32}), "query_length"),
            (
                json!({"model_args": {"num_hidden_layers": 3}}),
                "num_hidden_layers",
            ),
            (json!({"config_args": {"hidden_act": "relu"}}), "hidden_act"),
            (
                json!({"tokenizer_args": {"do_lower_case": true}}),
                "do_lower_case",
            ),
            (json!({"do_lower_case": "yes"}), "do_lower_case"),
            (json!({"unheard": 1}), "unheard"),
        ] {
            let error = reading(&settings).unwrap_err();
            assert_eq!(error.code, "model.config");
            assert!(
                error.message.contains(part),
                "{settings}: {}",
                error.message
            );
        }
    }

    #[test]
    fn the_default_prompt_is_found_and_others_are_left() {
        let prompt = |settings: Value| {
            AnswerSettings::load(&assets(MODEL_FILE, &settings))
                .map(|settings| settings.prompt)
                .map_err(|error| error.message)
        };
        let prompts = json!({"query": "query: ", "passage": "passage: ", "none": "", "null": null});
        let named = |name: Value| prompt(json!({"prompts": prompts, "default_prompt_name": name}));
        assert_eq!(named(json!("query")), Ok("query: ".to_owned()));
        assert_eq!(named(json!("passage")), Ok("passage: ".to_owned()));
        for empty in [json!("none"), json!("null"), json!("document"), json!(null)] {
            assert_eq!(named(empty.clone()), Ok(String::new()), "{empty}");
        }
        assert_eq!(prompt(json!({"prompts": prompts})), Ok(String::new()));
        assert_eq!(prompt(json!({"__version__": {}})), Ok(String::new()));
        assert!(
            named(json!("clustering"))
                .unwrap_err()
                .contains("clustering")
        );
        assert!(named(json!(7)).unwrap_err().contains("default_prompt_name"));
        let no_text = json!({"prompts": {"query": 7}, "default_prompt_name": "query"});
        assert!(prompt(no_text).unwrap_err().contains("query"));
    }

    #[test]
    fn a_vector_may_be_cut_and_another_kind_of_model_is_refused() {
        let load = |settings: Value| AnswerSettings::load(&assets(MODEL_FILE, &settings));
        assert_eq!(
            load(json!({"truncate_dim": 64})).unwrap().dimensions,
            Some(64)
        );
        assert_eq!(
            load(json!({"truncate_dim": null})).unwrap().dimensions,
            None
        );
        assert!(load(json!({"truncate_dim": 0})).is_err());
        assert!(load(json!({"model_type": "SentenceTransformer"})).is_ok());
        for kind in ["SparseEncoder", "CrossEncoder", "MultiVectorEncoder"] {
            let error = load(json!({ "model_type": kind })).unwrap_err();
            assert!(error.message.contains(kind), "{}", error.message);
        }
    }
}
