//! `tokenizer_config.json`: settings by which transformers changes the tokenizer of `tokenizer.json`.
//!
//! For a tokenizer of BERT's class transformers 4 and 5 go by this file where both say how to normalise, and by the
//! class's defaults where it is silent. What else version 5 takes from the class, and version 4 from `tokenizer.json`,
//! has to be the same in both.

use std::collections::BTreeMap;

use ampoule_guest::{Assets, Error, log};
use ampoule_model_files::error;
use ampoule_model_files::json_file::{
    in_folder, is_off, length, quoted, read_json_if_there, unserved,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

const FILE: &str = "tokenizer_config.json";

/// It lists each added token in some 200 bytes.
const MAX_BYTES: usize = 4 << 20;

/// Classes that build BERT's normalisation of the settings here.
const BERT_CLASSES: [&str; 6] = [
    "BertTokenizer",
    "BertTokenizerFast",
    "DistilBertTokenizer",
    "DistilBertTokenizerFast",
    "ElectraTokenizer",
    "ElectraTokenizerFast",
];

/// Classes that take `tokenizer.json` as it is, or build anew what their usual file holds.
const CLASSES_BY_FILE: [&str; 4] = [
    "PreTrainedTokenizerFast",
    "TokenizersBackend",
    "XLMRobertaTokenizer",
    "XLMRobertaTokenizerFast",
];

/// The longest word, in characters, that BERT's tokenizer cuts into parts, and its mark of a part.
const MAX_WORD: usize = 100;
const CONTINUATION: &str = "##";

#[derive(Deserialize)]
struct Listed {
    content: String,
}

/// The settings, as far as they matter here.
#[derive(Default)]
pub(crate) struct TokenizerSettings {
    settings: Option<Map<String, Value>>,
    file: String,
    /// The longest input in tokens, where the file says it.
    pub(crate) max_tokens: Option<usize>,
    /// Which end of a text is cut, where the file says it.
    pub(crate) truncation: Option<TruncationDirection>,
}

impl TokenizerSettings {
    /// Reads the file in the transformer's `folder`; without one there are no such settings.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when it asks for what is not served; `model.config` when it does not parse; `asset.*`;
    /// `model.file-size`.
    pub(crate) fn load(assets: &Assets, folder: &str) -> Result<Self, Error> {
        let file = in_folder(folder, FILE);
        let Some(settings) = read_json_if_there::<Map<String, Value>>(assets, &file, MAX_BYTES)?
        else {
            return Ok(Self::default());
        };
        if let Some(code) = settings.get("auto_map").filter(|value| !is_off(value)) {
            return Err(unserved(&file, "auto_map", code));
        }
        // The old name counts where the new one is not there.
        let key = ["model_max_length", "max_len"]
            .into_iter()
            .find(|key| settings.contains_key(*key));
        let max_tokens = match key {
            Some(key) => length(&settings, key, &file)?,
            None => None,
        };
        let truncation = match settings
            .get("truncation_side")
            .map(|side| (side, side.as_str()))
        {
            None | Some((Value::Null, _)) => None,
            Some((_, Some("right"))) => Some(TruncationDirection::Right),
            Some((_, Some("left"))) => Some(TruncationDirection::Left),
            Some((other, _)) => return Err(unserved(&file, "truncation_side", other)),
        };
        Ok(TokenizerSettings {
            settings: Some(settings),
            file,
            max_tokens,
            truncation,
        })
    }

    /// Makes `tokenizer` what transformers would: `class` is that of `config.json`, which counts where this file has
    /// none.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when the class is not known, or versions of transformers would make different tokenizers.
    pub(crate) fn apply(
        &self,
        tokenizer: &mut Tokenizer,
        class: Option<&str>,
    ) -> Result<(), Error> {
        let Some(settings) = &self.settings else {
            return Ok(());
        };
        let class = self.text("tokenizer_class")?.or(class);
        let word_pieces = matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_));
        match class {
            Some(class) if CLASSES_BY_FILE.contains(&class) => {}
            Some(class) if BERT_CLASSES.contains(&class) => self.apply_bert(tokenizer)?,
            // A BERT's is BERT's.
            None if word_pieces => self.apply_bert(tokenizer)?,
            None => {}
            Some(class) => {
                return Err(error::tokenizer(format!(
                    "this guest does not know `tokenizer_class` `{}`, which may make other tokens of a text than \
                     `tokenizer.json`: save the tokenizer as `PreTrainedTokenizerFast`",
                    quoted(class)
                )));
            }
        }
        self.check_listed(tokenizer)?;
        if settings.get("split_special_tokens") == Some(&Value::Bool(true)) {
            tokenizer.set_encode_special_tokens(true);
        }
        Ok(())
    }

    fn apply_bert(&self, tokenizer: &mut Tokenizer) -> Result<(), Error> {
        let file = &self.file;
        let differs = |part: &str| {
            error::tokenizer(format!(
                "`tokenizer.json` has another {part} than a tokenizer of BERT's class, which `{file}` names: releases \
                 of transformers differ in which they take. Save the tokenizer as `PreTrainedTokenizerFast`, or with \
                 BERT's {part}"
            ))
        };
        let ModelWrapper::WordPiece(model) = tokenizer.get_model() else {
            return Err(differs("model"));
        };
        if model.continuing_subword_prefix != CONTINUATION
            || model.max_input_chars_per_word != MAX_WORD
            || model.unk_token != self.token("unk_token", "[UNK]")?
        {
            return Err(differs("model"));
        }
        if !matches!(
            tokenizer.get_pre_tokenizer(),
            Some(PreTokenizerWrapper::BertPreTokenizer(_))
        ) {
            return Err(differs("pre-tokenizer"));
        }
        let Some(NormalizerWrapper::BertNormalizer(found)) = tokenizer.get_normalizer() else {
            return Err(differs("normalizer"));
        };
        if !found.clean_text {
            return Err(differs("normalizer"));
        }
        let wanted = BertNormalizer::new(
            true,
            self.flag("tokenize_chinese_chars")?.unwrap_or(true),
            self.flag("strip_accents")?,
            self.flag("do_lower_case")?.unwrap_or(true),
        );
        for (key, inside, wanted, found) in [
            (
                "do_lower_case",
                "lowercase",
                Some(wanted.lowercase),
                Some(found.lowercase),
            ),
            (
                "strip_accents",
                "strip_accents",
                wanted.strip_accents,
                found.strip_accents,
            ),
            (
                "tokenize_chinese_chars",
                "handle_chinese_chars",
                Some(wanted.handle_chinese_chars),
                Some(found.handle_chinese_chars),
            ),
        ] {
            if wanted != found {
                let shown =
                    |value: Option<bool>| value.map_or("null".to_owned(), |on| on.to_string());
                log::warn(format_args!(
                    "`{file}` makes `{key}` {}, `tokenizer.json` has `{inside}` {}: texts are read by the former, as \
                     in transformers",
                    shown(wanted),
                    shown(found)
                ));
            }
        }
        tokenizer
            .with_normalizer(Some(wanted))
            .map_err(|found| error::tokenizer(format!("cannot use the normalizer: {found}")))?;
        let ends = ["cls_token", "sep_token"]
            .into_iter()
            .zip(["[CLS]", "[SEP]"]);
        let ends = ends
            .map(|(key, default)| Ok(tokenizer.token_to_id(&self.token(key, default)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let empty = tokenizer
            .encode_fast("", true)
            .map_err(|found| error::tokenizer(format!("cannot tokenize: {found}")))?;
        if !empty.get_ids().iter().copied().map(Some).eq(ends) {
            return Err(differs("post-processor"));
        }
        Ok(())
    }

    /// Checks that the tokens that the file lists are those of `tokenizer.json`: transformers would add others.
    fn check_listed(&self, tokenizer: &Tokenizer) -> Result<(), Error> {
        let listed = self
            .settings
            .as_ref()
            .and_then(|all| all.get("added_tokens_decoder"));
        let Some(listed) = listed.filter(|listed| !listed.is_null()) else {
            return Ok(());
        };
        let listed = BTreeMap::<String, Listed>::deserialize(listed).map_err(|found| {
            error::config(format!(
                "cannot read `added_tokens_decoder` of `{}`: {found}",
                self.file
            ))
        })?;
        for (id, Listed { content }) in listed {
            let found = id.parse().ok().and_then(|id| tokenizer.id_to_token(id));
            if found.as_deref() != Some(content.as_str()) {
                return Err(error::tokenizer(format!(
                    "`{}` has the token `{}` as number {}, and `tokenizer.json` does not: save both together",
                    self.file,
                    quoted(&content),
                    quoted(&id)
                )));
            }
        }
        Ok(())
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.settings
            .as_ref()?
            .get(key)
            .filter(|value| !value.is_null())
    }

    fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(unserved(&self.file, key, other)),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(other) => Err(unserved(&self.file, key, other)),
        }
    }

    /// Returns a special token, which stands as a text or as an object with its `content`.
    fn token(&self, key: &str, default: &str) -> Result<String, Error> {
        match self.value(key) {
            None => Ok(default.to_owned()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value) => match value.get("content").and_then(Value::as_str) {
                Some(text) => Ok(text.to_owned()),
                None => Err(unserved(&self.file, key, value)),
            },
        }
    }
}
