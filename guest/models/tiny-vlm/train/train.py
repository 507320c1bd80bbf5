"""Trains the tiny VLM, and goes on where it was interrupted.

    pip install -r requirements.txt
    python train.py runs/first

Everything follows from the seeds in here: the pictures, the questions, the first weights. Without a
GPU it takes some hours on two cores; with one, `--device cuda` makes it quicker and changes
nothing else.

The learning rate rises, stays, and falls to nothing over the last part (warm-up, stable, decay), so
that a run can be made longer after the fact: give more `--steps` before the decay begins.
"""

import argparse
import copy
import json
import pathlib
import time

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn

import scenes
import text
from batches import LABELS, loader
from network import Config, TinyVlm
from questions import training_questions

SEED = 20_261_122
BATCH = 48
WARM_UP = 300
EVERY = 100


class GridHead(nn.Module):
    """Asks the visual features what lies where, on a grid finer than theirs: only for training, so
    that the encoder learns to see before the decoder has learned to ask."""

    def __init__(self, config, colors, shapes):
        super().__init__()
        self.sizes = (1, colors, shapes, 1)
        self.side = config.token_side
        self.linear = nn.Linear(config.hidden_size, 4 * sum(self.sizes))

    def forward(self, features):
        batch = features.shape[0]
        x = self.linear(features).float().view(batch, self.side, self.side, 2, 2, -1)
        x = x.transpose(2, 3).reshape(batch, 2 * self.side, 2 * self.side, -1)
        return x.split(self.sizes, 3)


def grid_loss(head, features, batch):
    there, colors, shapes, radii = head(features)
    taken = batch.colors >= 0
    loss = F.binary_cross_entropy_with_logits(
        there.squeeze(3), taken.float(), pos_weight=torch.tensor(8.0)
    )
    if taken.any():
        loss = loss + F.cross_entropy(colors[taken], batch.colors[taken])
        loss = loss + F.cross_entropy(shapes[taken], batch.shapes[taken])
        loss = loss + F.l1_loss(radii.squeeze(3)[taken] * 0.1, batch.radii[taken]) * 10
    return loss


def answer_loss(model, visual, batch):
    """The mean cross-entropy of the answers' tokens, and how many of them would be right."""
    hidden = model.decoder(visual, batch.tokens)
    rows, targets = [], []
    for states, tokens, answers in zip(hidden, batch.tokens, batch.answers):
        rows.append(states[:, :, :-1][answers[:, :, 1:]])
        targets.append(tokens[:, :, 1:][answers[:, :, 1:]])
    logits, targets = model.decoder.logits(torch.cat(rows)).float(), torch.cat(targets)
    right = (logits.argmax(1) == targets).float().mean()
    return F.cross_entropy(logits, targets), right


def rate(step, steps, decay):
    """The learning rate as a part of the highest."""
    return min(1.0, (step + 1) / WARM_UP, max(0.0, (steps - step) / decay))


def tokenizer_of(run):
    path = run / "tokenizer.json"
    if not path.exists():
        def texts():
            for seed in range(20_000):
                asked, caption = training_questions(scenes.sample(seed), seed, 8)
                for question in (*asked, caption):
                    yield text.normalized(question.text)
                    yield question.answer
        text.learn(texts()).save(str(path))
    return Tokenizer.from_file(str(path))


def averaged(average, model, step):
    """The running average of the weights, which answers better than the last ones do."""
    keep = min(0.999, (step + 1) / (step + 10))
    with torch.no_grad():
        for mine, theirs in zip(average.state_dict().values(), model.state_dict().values()):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - keep)
            else:
                mine.copy_(theirs)


def to_device(batch, device):
    for name, value in vars(batch).items():
        move = [item.to(device) for item in value] if isinstance(value, list) else value.to(device)
        setattr(batch, name, move)
    return batch


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("run", type=pathlib.Path, help="the folder of the run")
    arguments.add_argument("--steps", type=int, default=6000)
    arguments.add_argument("--decay", type=int, default=1500, help="steps of the decay")
    arguments.add_argument("--rate", type=float, default=1.5e-3)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--workers", type=int, default=1)
    arguments = arguments.parse_args()
    run, device = arguments.run, arguments.device
    run.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(SEED)
    tokenizer = tokenizer_of(run)
    config = Config(vocab_size=tokenizer.get_vocab_size(), labels=LABELS)
    model = TinyVlm(config).to(device, memory_format=torch.channels_last)
    head = GridHead(config, len(scenes.COLORS), len(scenes.SHAPES)).to(device)
    average = copy.deepcopy(model)
    parameters = [*model.named_parameters(), *head.named_parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for _, p in parameters if p.dim() > 1], "weight_decay": 0.05},
            {"params": [p for _, p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
    )
    checkpoint, step = run / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device)
        for name, part in (("model", model), ("head", head), ("average", average)):
            part.load_state_dict(saved[name])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, from step {step}", flush=True)

    sums, since = {}, time.monotonic()
    for batch in loader(tokenizer, BATCH, step, arguments.steps, arguments.workers):
        batch = to_device(batch, device)
        for group in optimizer.param_groups:
            group["lr"] = arguments.rate * rate(step, arguments.steps, arguments.decay)
        with torch.autocast(device, torch.bfloat16):
            features = model.features(batch.images)
            answers, right = answer_loss(model, model.projector(features), batch)
            _, scores = model.scene(features)
        grid = grid_loss(head, features, batch)
        labels = F.binary_cross_entropy_with_logits(scores.float(), batch.labels)
        loss = answers + 0.5 * grid + labels
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for _, p in parameters], 1.0)
        optimizer.step()
        averaged(average, model, step)
        step += 1
        for name, value in (("answers", answers), ("right", right), ("grid", grid), ("labels", labels)):
            sums[name] = sums.get(name, 0.0) + float(value) / EVERY
        if step % EVERY == 0 or step == arguments.steps:
            seconds, since = time.monotonic() - since, time.monotonic()
            line = {"step": step, **{k: round(v, 4) for k, v in sums.items()}}
            print(json.dumps({**line, "seconds": round(seconds, 1)}), flush=True)
            sums = {}
        if step % (5 * EVERY) == 0 or step == arguments.steps:
            saved = {
                "model": model.state_dict(),
                "head": head.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
            }
            torch.save(saved, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)


if __name__ == "__main__":
    main()
