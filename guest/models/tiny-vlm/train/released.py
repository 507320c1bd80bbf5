"""The released model in the training framework: the network, with exactly the numbers that are in
`model.safetensors`, in f32."""

import json
import pathlib

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

import text
from network import Config, Convolution, TinyVlm

WEIGHTS = pathlib.Path(__file__).parent.parent / "weights"


def load(folder=WEIGHTS):
    """The model and its tokenizer."""
    entries = json.loads((folder / "config.json").read_text())
    config = Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in entries.items()})
    model = TinyVlm(config)
    values = load_file(folder / "model.safetensors")
    values = {name: tensor.float() for name, tensor in values.items()}
    for name, module in list(model.named_modules()):
        if isinstance(module, Convolution):
            conv = module.conv
            conv = torch.nn.Conv2d(conv.in_channels, conv.out_channels, 3, conv.stride, 1)
            values[f"{name}.weight"] = values[f"{name}.weight"].permute(0, 3, 1, 2).contiguous()
            owner, _, child = name.rpartition(".")
            setattr(model.get_submodule(owner), child, conv)
    model.load_state_dict(values)
    return model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))


@torch.no_grad()
def logits(model, tokenizer, image, question, answer):
    """The logits `[answer tokens, vocabulary]` of every token of an answer that is given, its end
    included; `image` is `[side, side, 3]`, bytes."""
    asked = text.question_ids(tokenizer, question)
    ids = asked + text.answer_ids(tokenizer, answer)
    visual = model.projector(model.features(torch.from_numpy(image.copy())[None]))
    (rows,), _ = model.decoder(visual, [torch.tensor([[ids]])])
    return model.decoder.logits(rows[0, 0, len(asked) - 1 : -1])


class Answer:
    """An answer in progress: the likeliest token each time, and the keys and values of all rows so
    far, as an application would keep them."""

    @torch.no_grad()
    def __init__(self, model, tokenizer, image, question):
        self.model, self.position, self.seen = model, 0, []
        rows = model.projector(model.features(torch.from_numpy(image.copy())[None]))
        for layer in model.decoder.layers:
            self.seen.append(layer.keys_and_values(rows))
        self.next = text.question_ids(tokenizer, question)

    @torch.no_grad()
    def token(self):
        """The next token, or None at the end."""
        decoder, count = self.model.decoder, len(self.next)
        rows = decoder.embedding(torch.tensor([self.next]))
        rows = rows + decoder.positions[self.position : self.position + count]
        for index, layer in enumerate(decoder.layers):
            q, k, v = layer.attention.split(layer.norm1(rows))
            k, v = (torch.cat(pair, 2) for pair in zip(self.seen[index], (k, v)))
            self.seen[index] = (k, v)
            scores = q @ k.transpose(2, 3)
            later = torch.full((count, k.shape[2]), -torch.inf).triu(1 + k.shape[2] - count)
            context = (scores + later).softmax(3) @ v
            rows = layer.feed_forward(rows + layer.attention.join(context))
        self.position += count
        token = int(decoder.logits(decoder.norm(rows[0, -1])).argmax())
        self.next = [token]
        return None if token == text.END else token


def answer(model, tokenizer, image, question):
    """The likeliest answer to a question about a picture `[side, side, 3]`, bytes."""
    started = Answer(model, tokenizer, image, question)
    tokens = list(iter(started.token, None))
    return tokenizer.decode(tokens).strip()
