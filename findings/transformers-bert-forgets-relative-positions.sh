#!/usr/bin/env bash
# transformers 5: a BERT checkpoint with `position_embedding_type: "relative_key"` is read, and computed as if it said
# "absolute".
#
# Version 4 implements relative_key and relative_key_query (Shaw et al., 2018; Huang et al., 2020) with the tensors
# `distance_embedding.weight`. Version 5 took the code out of BERT and kept no check: the key is stored in the
# configuration like any unknown one, and the tensors are reported as unexpected.
#
# PyTorch is not needed: what is shown is the key in the configuration, and that no line of the model reads it.
# Found while making the BERT guest refuse what it does not compute (guest/models/minilm/src/config.rs).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install transformers==5.24.0
venv/bin/pip -q --disable-pip-version-check download --no-deps --only-binary :all: --dest old transformers==4.57.1
venv/bin/python -m zipfile -e old/*.whl old
mkdir model
cat > model/config.json <<'JSON'
{"model_type": "bert", "position_embedding_type": "relative_key", "hidden_size": 32, "num_attention_heads": 4}
JSON
HF_HUB_OFFLINE=1 venv/bin/python - <<'PYTHON' 2>/dev/null
import pathlib

import transformers

config = transformers.AutoConfig.from_pretrained("model")
installed = pathlib.Path(transformers.__file__).parent / "models/bert/modeling_bert.py"
before = pathlib.Path("old/transformers/models/bert/modeling_bert.py")
lines = lambda path: sum("position_embedding_type" in line or "distance_embedding" in line for line in path.open())
print("transformers", transformers.__version__, "reads the configuration:", config.position_embedding_type)
print("lines of modeling_bert.py that know of it: 4.57.1:", lines(before), " 5.24.0:", lines(installed))
assert config.position_embedding_type == "relative_key"
assert lines(before) > 10 and lines(installed) == 0
PYTHON
