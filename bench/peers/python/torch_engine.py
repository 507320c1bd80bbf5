"""PyTorch as an engine of the benchmark: the sentence encoder, and the built-in model as it is trained.

    torch_engine.py TRAINING_FOLDER
"""

import json
import pathlib
import sys
import time

import torch
from safetensors.torch import load_file
from torch.nn import functional

from protocol import Missing, serve

sys.path.append(sys.argv[1])  # the network of the built-in model

HEADS = 12
EPSILON = 1e-12


class Encoder:
    """The network of all-MiniLM-L6-v2, by the functions that PyTorch offers for its parts."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
        self.weights = {
            name.removeprefix("bert."): tensor.float()
            for name, tensor in load_file(folder / "model.safetensors").items()
            if tensor.is_floating_point()
        }
        for index in range(self.layers):
            parts = [f"encoder.layer.{index}.attention.self.{part}" for part in ("query", "key", "value")]
            for kind in ("weight", "bias"):
                joined = torch.cat([self.weights[f"{part}.{kind}"] for part in parts])
                self.weights[f"qkv.{index}.{kind}"] = joined

    def linear(self, x, name):
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def norm(self, x, name):
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, EPSILON)

    @torch.inference_mode()
    def __call__(self, ids):
        tables = [self.weights[f"embeddings.{table}_embeddings.weight"] for table in ("word", "position", "token_type")]
        words, positions, segments = tables
        x = self.norm(words[ids] + positions[: ids.shape[1]] + segments[0], "embeddings.LayerNorm")
        for index in range(self.layers):
            name = f"encoder.layer.{index}"
            heads = self.linear(x, f"qkv.{index}").unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
            context = functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
            x = self.norm(x + self.linear(context, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
            inner = functional.gelu(self.linear(x, f"{name}.intermediate.dense"))
            x = self.norm(x + self.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        return functional.normalize(x.mean(1))


def prepare_encoder(job):
    if job["numbers"] != "f32":
        raise Missing("has no such model in integers")
    encoder, ids = Encoder(job["weights"]), torch.tensor(job["ids"])
    return lambda: encoder(ids), encoder(ids).flatten().tolist()


def prepare_answer(job):
    import released
    from drawing import letterbox
    from PIL import Image

    model, tokenizer = released.load()

    def compute():
        begin = time.perf_counter()
        with Image.open(job["picture"]) as image:
            pixels = letterbox(image, model.config.image_size)
        answer = released.Answer(model, tokenizer, pixels, job["prompt"])
        answer.token()
        first = time.perf_counter()
        if job["timed"] == "first-token":
            return 1e3 * (first - begin)
        steps = len(list(iter(answer.token, None))) + 1  # the end is computed like any other
        return 1e3 * (time.perf_counter() - first) / steps

    compute.timed_inside = True
    compute()
    return compute, []


def prepare(job):
    torch.set_num_threads(job["threads"])
    kinds = {"embed": prepare_encoder, "generate": prepare_answer}
    if job["kind"] not in kinds:
        raise Missing("runs models only")
    compute, output = kinds[job["kind"]](job)
    return f"PyTorch {torch.__version__}", compute, output


serve(prepare)
