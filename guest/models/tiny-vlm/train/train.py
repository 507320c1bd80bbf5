"""Trains the tiny VLM, and goes on where it was interrupted.

    pip install -r requirements.txt
    python train.py runs/first --processes 2

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
import tempfile
import time

import torch
import torch.distributed
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn

import scenes
import text
from batches import LABELS, Batches, loader
from gaps import OPEN_COLORS, OPEN_SHAPES
from network import Config, TinyVlm
from questions import training_questions

SEED = 20_261_122
BATCH = 48
WARM_UP = 300
BLOTTED = 0.12
EVERY = 100


class PointHead(nn.Module):
    """Asks the decoder, half way and at the end of a thing's name, where the thing is: only for
    training. Whoever found it can go on to say its colour, or what is left of it."""

    def __init__(self, config):
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.linear = nn.Linear(config.hidden_size, 2)

    def loss(self, half_way, places):
        rows = [states[place[..., 0] >= 0] for states, place in zip(half_way, places)]
        targets = [place[place[..., 0] >= 0] for place in places]
        return F.l1_loss(self.linear(self.norm(torch.cat(rows).float())), torch.cat(targets))


class GridHead(nn.Module):
    """Asks the visual features what lies where, on a grid finer than theirs, and where they are
    themselves: only for training, so that the encoder learns to see, and to tell places, before the
    decoder has learned to ask."""

    def __init__(self, config, colors, shapes):
        super().__init__()
        self.sizes = (1, colors, shapes, 1)
        self.side = config.token_side
        self.linear = nn.Linear(config.hidden_size, 4 * sum(self.sizes))
        self.place = nn.Linear(config.hidden_size, 2)

    def place_loss(self, features):
        """How far from their rows and columns (from 0 to 1) the features think that they are."""
        steps = torch.linspace(0, 1, self.side, device=features.device)
        places = torch.cartesian_prod(steps, steps)
        found = self.place(features).float()
        return F.mse_loss(found, places.expand_as(found))

    def forward(self, features):
        batch = features.shape[0]
        x = self.linear(features).float().view(batch, self.side, self.side, 2, 2, -1)
        x = x.transpose(2, 3).reshape(batch, 2 * self.side, 2 * self.side, -1)
        return x.split(self.sizes, 3)


def grid_loss(head, features, batch):
    there, colors, shapes, radii = head(features)
    taken, shaped = batch.radii > 0, batch.shapes >= 0
    loss = 5 * head.place_loss(features) + F.binary_cross_entropy_with_logits(
        there.squeeze(3), taken.float(), pos_weight=torch.tensor(8.0)
    )
    colors = colors.masked_fill(OPEN_COLORS[batch.shapes.cpu()].to(colors.device), -torch.inf)
    shapes = shapes.masked_fill(OPEN_SHAPES[batch.colors.cpu()].to(shapes.device), -torch.inf)
    if shaped.any():
        loss = loss + F.cross_entropy(colors[taken], batch.colors[taken])
        loss = loss + F.cross_entropy(shapes[shaped], batch.shapes[shaped])
        loss = loss + F.l1_loss(radii.squeeze(3)[taken] * 0.1, batch.radii[taken]) * 10
    return loss


def answer_loss(model, points, visual, batch):
    """The mean cross-entropy of the answers' tokens, how many of them would be right, and how far
    the decoder is off when it looks for what a question names.

    Some words of the answer so far are blotted out, so that the next one is read off the picture
    and not off the last: "purple" says nothing about what is purple.
    """
    blotted = [
        torch.where(words & (torch.rand(words.shape) < BLOTTED).to(words.device), text.PAD, ids)
        for ids, words in zip(batch.tokens, batch.read_off)
    ]
    hidden, half_way = model.decoder(visual, blotted)
    rows, targets, open_tokens = [], [], []
    for states, tokens, answers, left_open in zip(
        hidden, batch.tokens, batch.answers, batch.open_tokens
    ):
        rows.append(states[:, :, :-1][answers[:, :, 1:]])
        targets.append(tokens[:, :, 1:][answers[:, :, 1:]])
        open_tokens.append(left_open[:, :, 1:][answers[:, :, 1:]])
    logits, targets = model.decoder.logits(torch.cat(rows)).float(), torch.cat(targets)
    logits = logits.scatter(1, torch.cat(open_tokens), -torch.inf)
    right = (logits.argmax(1) == targets).float().mean()
    return F.cross_entropy(logits, targets), right, points.loss(half_way, batch.places)


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
    arguments.add_argument("--steps", type=int, default=9000)
    arguments.add_argument("--decay", type=int, default=1500, help="steps of the decay")
    arguments.add_argument("--rate", type=float, default=1.5e-3)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument(
        "--processes",
        type=int,
        default=1,
        help="share each batch among this many processes, one for each core: the matrices are too "
        "small for several cores to share",
    )
    arguments = arguments.parse_args()
    arguments.run.mkdir(parents=True, exist_ok=True)
    tokenizer_of(arguments.run)
    if arguments.processes == 1:
        train(0, arguments, None)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        torch.multiprocessing.spawn(train, (arguments, meeting), arguments.processes)


def share_gradients(parameters, processes):
    """Gives every process the mean of all gradients."""
    gradients = [p.grad for _, p in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= processes
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients])):
        gradient.copy_(part.view_as(gradient))


def train(number, arguments, meeting):
    """Process `number` of the training. The first one tells how it goes and keeps the checkpoints;
    running statistics are its own."""
    run, device, processes = arguments.run, arguments.device, arguments.processes
    if processes > 1:
        torch.set_num_threads(1)
        torch.distributed.init_process_group("gloo", meeting, rank=number, world_size=processes)
    torch.manual_seed(SEED)
    tokenizer = tokenizer_of(run)
    config = Config(vocab_size=tokenizer.get_vocab_size(), labels=LABELS)
    model = TinyVlm(config).to(device, memory_format=torch.channels_last)
    head = GridHead(config, len(scenes.COLORS), len(scenes.SHAPES)).to(device)
    average = copy.deepcopy(model)
    points = PointHead(config).to(device)
    parts = {"model": model, "head": head, "points": points}
    parameters = [named for part in parts.values() for named in part.named_parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for _, p in parameters if p.dim() > 1], "weight_decay": 0.3},
            {"params": [p for _, p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
    )
    checkpoint, step = run / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device)
        for name, part in {**parts, "average": average}.items():
            part.load_state_dict(saved[name])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    if number == 0:
        size = sum(p.numel() for p in model.parameters())
        print(f"{size:,} parameters, from step {step}", flush=True)

    sums, since = {}, time.monotonic()
    torch.manual_seed(SEED + 1 + number + step)
    batches = Batches(tokenizer, BATCH, step, arguments.steps, (number, processes))
    for batch in loader(batches):
        batch = to_device(batch, device)
        for group in optimizer.param_groups:
            group["lr"] = arguments.rate * rate(step, arguments.steps, arguments.decay)
        with torch.autocast(device, torch.bfloat16):
            features = model.features(batch.images)
            answers, right, off = answer_loss(model, points, model.projector(features), batch)
            _, scores = model.scene(features)
        grid = grid_loss(head, features, batch)
        labels = F.binary_cross_entropy_with_logits(scores.float(), batch.labels)
        loss = answers + 0.5 * grid + labels + 2 * off
        optimizer.zero_grad()
        loss.backward()
        if processes > 1:
            share_gradients(parameters, processes)
        nn.utils.clip_grad_norm_([p for _, p in parameters], 1.0)
        optimizer.step()
        step += 1
        if number > 0:
            continue
        averaged(average, model, step - 1)
        found = {"answers": answers, "right": right, "grid": grid, "labels": labels, "off": off}
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / EVERY
        if step % EVERY == 0 or step == arguments.steps:
            seconds, since = time.monotonic() - since, time.monotonic()
            line = {"step": step, **{k: round(v, 4) for k, v in sums.items()}}
            print(json.dumps({**line, "seconds": round(seconds, 1)}), flush=True)
            sums = {}
        if step % (5 * EVERY) == 0 or step == arguments.steps:
            saved = {name: part.state_dict() for name, part in parts.items()}
            saved["average"] = average.state_dict()
            saved["optimizer"] = optimizer.state_dict()
            saved["step"] = step
            torch.save(saved, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)


if __name__ == "__main__":
    main()
