"""Writes the three files of the model from a run: `model.safetensors` (f16), `config.json` and
`tokenizer.json`.

    python export.py runs/first ../weights

The averaged weights are taken; batch normalisation is folded into the convolutions before it, whose
weights are stored `[outputs, 3, 3, inputs]`: a row of the matrix that the guest multiplies with.
"""

import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save
from tokenizers import Tokenizer

from batches import LABELS
from network import Config, Convolution, TinyVlm


def folded(convolution):
    """The weight and bias of one convolution that does what both layers do."""
    norm = convolution.norm
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = convolution.conv.weight * scale[:, None, None, None]
    return weight.permute(0, 2, 3, 1), norm.bias - norm.running_mean * scale


def tensors(model):
    """The model's tensors by the names that the guest knows."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, Convolution):
            found[f"{name}.weight"], found[f"{name}.bias"] = folded(module)
    for name, parameter in model.named_parameters():
        if ".conv.weight" not in name and not _is_norm_of_convolution(model, name):
            found[name] = parameter
    return {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in found.items()}


def _is_norm_of_convolution(model, name):
    owner = name.rsplit(".", 2)[0]
    return isinstance(model.get_submodule(owner), Convolution)


def load(run):
    """The averaged model of a run, ready to answer, and its tokenizer."""
    tokenizer = Tokenizer.from_file(str(run / "tokenizer.json"))
    model = TinyVlm(Config(vocab_size=tokenizer.get_vocab_size(), labels=LABELS))
    model.load_state_dict(torch.load(run / "checkpoint.pt", map_location="cpu")["average"])
    return model.eval(), tokenizer


def main():
    run, folder = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    model, _ = load(run)
    (folder / "model.safetensors").write_bytes(save(tensors(model)))
    config = json.dumps(model.config.to_json(), indent=2)
    (folder / "config.json").write_text(config + "\n")
    shutil.copyfile(run / "tokenizer.json", folder / "tokenizer.json")


if __name__ == "__main__":
    main()
