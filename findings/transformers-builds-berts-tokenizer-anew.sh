#!/usr/bin/env bash
# transformers 5: `AutoTokenizer` reads no normaliser from the `tokenizer.json` of a BERT. With a cased one, and a
# `tokenizer_config.json` that does not say `do_lower_case`, texts are lowercased: other ids than the `tokenizers` library
# gives for the same file.
#
# Version 5 builds the tokenizer of its class anew from `tokenizer_config.json` and the class's defaults. The class is taken
# from `config.json` (model_type) where nothing else names it. With `tokenizer_class: PreTrainedTokenizerFast` the file is
# taken as it is.
#
# Found while making the BERT guest give its publisher's tokens (guest/models/minilm/src/tokenizer_settings.rs).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install transformers==5.24.0 tokenizers==0.23.3
HF_HUB_OFFLINE=1 venv/bin/python - <<'PYTHON' 2>/dev/null
import json
import os

import tokenizers
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "paris", "Paris"]
made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
made.normalizer = normalizers.BertNormalizer(lowercase=False)
made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
made.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)


def by_transformers(settings):
    os.makedirs("model", exist_ok=True)
    made.save("model/tokenizer.json")
    for name, value in ("config", {"model_type": "bert"}), ("tokenizer_config", settings):
        with open(f"model/{name}.json", "w") as file:
            json.dump(value, file)
    return transformers.AutoTokenizer.from_pretrained("model")("Paris")["input_ids"]


by_file = made.encode("Paris").ids
silent = by_transformers({"model_max_length": 512})
said = by_transformers({"do_lower_case": False})
fast = by_transformers({"tokenizer_class": "PreTrainedTokenizerFast"})
print("tokenizers", tokenizers.__version__, "with the file:", by_file)
print("transformers", transformers.__version__, "with a silent tokenizer_config.json:", silent)
print("  with do_lower_case false:", said, " with PreTrainedTokenizerFast:", fast)
assert by_file == said == fast == [2, 6, 3] and silent == [2, 5, 3]
PYTHON
