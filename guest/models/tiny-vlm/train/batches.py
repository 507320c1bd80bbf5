"""Batches of training: pictures, their questions as tokens, and what is where on them.

A batch is a function of its number alone, so that a run that was interrupted goes on with the
batch that it would have had.
"""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import drawing
import scenes
import text
from aliases import Aliases
from gaps import OpenTokens
from questions import training_questions
from scenes import COLORS, SHAPES

SIDE = 96
# The grid on which the encoder is asked what lies where, finer than its tokens.
GRID = 12
# Questions of a picture, and the longest of them in tokens: the shorter ones, the longer ones, the
# caption. Sorted by length there is less to pad.
GROUPS = ((4, 20), (4, 30), (1, 44))
QUESTIONS = GROUPS[0][0] + GROUPS[1][0]
# How many of the reasoned answers are to be learned from their conclusion on.
CONCLUDED = 0.6
# Scenes for training have these seeds; those of the evaluation are below.
FIRST_SEED = 1_000_000

COUNT_LABELS = tuple(
    f"{number} shape" + ("" if number == "one" else "s")
    for number in ("no", "one", "two", "three", "four", "five", "six")
)
LABELS = COLORS + SHAPES + COUNT_LABELS


@dataclass
class Batch:
    """`images` `[B, 96, 96, 3]`; `tokens` is a list of groups `[B, questions, length]`, padded, and
    `answers` says which of them are to be learned, and `read_off` which of those follow from the
    picture alone; `places` `[B, questions, length, 2]` has, at the
    token that ends the name of a thing, where its centre lies (x and y, from 0 to 1), and -1
    elsewhere; `open_tokens` `[B, questions, length, 4]` are those that are neither right nor wrong
    there, or `PAD`; `labels` `[B, labels]`; the three grids are
    `[B, 12, 12]`: `radii` is 0 where nothing's centre lies, the others are -1 there, and `shapes`
    where the shape has no name."""

    images: torch.Tensor
    tokens: list
    answers: list
    read_off: list
    places: list
    open_tokens: list
    labels: torch.Tensor
    colors: torch.Tensor
    shapes: torch.Tensor
    radii: torch.Tensor


@dataclass
class Lesson:
    """The tokens of a question and those of its answer, which of the latter are to be learned, at
    which of them which places are named, the things whose name is asked for, and whether the
    answer's end follows from its beginning."""

    question: list
    answer: list
    learned: slice
    places: list
    asked_for: list
    is_reasoned: bool


def labels_of(scene):
    """Which labels fit: colours, shapes and the number of things."""
    found = {thing.color for thing in scene.things} | {thing.shape for thing in scene.things}
    found.add(COUNT_LABELS[len(scene.things)])
    return np.array([label in found for label in LABELS], np.float32)


def picture(scene, seed):
    """The picture as the guest gets it, after it went through a file."""
    data, _ = drawing.encode(drawing.draw(scene, seed), seed)
    return drawing.letterbox(Image.open(io.BytesIO(data)), SIDE)


def misspelled(rng, question):
    """Swaps, drops or doubles a letter, so that the pieces of unknown words mean little, and not
    anything."""
    at = int(rng.integers(1, max(2, len(question) - 1)))
    kind = rng.integers(3)
    if kind == 0:
        return question[:at] + question[at + 1 :]
    if kind == 1:
        return question[:at] + question[at : at + 1] + question[at:]
    return question[: at - 1] + question[at : at + 1] + question[at - 1 : at] + question[at + 1 :]


class Batches(Dataset):
    """The batches from number `first` to `last`, of `size` pictures each, and of each batch the part
    of one of several processes: (its number, how many there are)."""

    def __init__(self, tokenizer, size, first, last, part=(0, 1)):
        self.tokenizer, self.size, self.first, self.last = tokenizer, size, first, last
        self.part = part
        self.open_tokens = OpenTokens(tokenizer)
        self.aliases = Aliases(tokenizer, self.open_tokens)

    def __len__(self):
        return self.last - self.first

    def __getitem__(self, index):
        start = FIRST_SEED + (self.first + index) * self.size
        number, parts = self.part
        return self._batch(range(start + number, start + self.size, parts))

    def _batch(self, seeds):
        size = len(seeds)
        images = np.zeros((size, SIDE, SIDE, 3), np.uint8)
        groups = [np.full((size, *group), text.PAD, np.int64) for group in GROUPS]
        answers, read_off = ([np.zeros(group.shape, bool) for group in groups] for _ in range(2))
        places = [np.full((*group.shape, 2), -1, np.float32) for group in groups]
        open_tokens = [
            np.full((*group.shape, OpenTokens.MOST), text.PAD, np.int64) for group in groups
        ]
        labels = np.zeros((size, len(LABELS)), np.float32)
        grids = [np.full((size, GRID, GRID), -1, np.int64) for _ in range(2)]
        radii = np.zeros((size, GRID, GRID), np.float32)
        for row, seed in enumerate(seeds):
            scene = scenes.partly_named(scenes.sample(seed), seed)
            images[row] = picture(scene, seed)
            labels[row] = labels_of(scene)
            for thing in scene.things:
                x = int((thing.x + (1 - scene.width) / 2) * GRID)
                y = int((thing.y + (1 - scene.height) / 2) * GRID)
                grids[0][row, y, x] = COLORS.index(thing.color)
                if thing.shape:
                    grids[1][row, y, x] = SHAPES.index(thing.shape)
                radii[row, y, x] = thing.radius
            asked, caption = training_questions(scene, seed, QUESTIONS)
            rng = scenes.rng_of(seed, 4)
            texts = sorted((self._text(question, scene, rng) for question in asked), key=_length)
            texts.append(self._text(caption, scene, rng))
            columns = [
                column
                for group in zip(groups, answers, read_off, places, open_tokens)
                for column in zip(*(part[row] for part in group))
            ]
            for (ids, learned, seen, at, left_open), lesson in zip(columns, texts):
                both = (lesson.question + lesson.answer)[: len(ids)]  # the rest teaches nothing
                ids[: len(both)] = both
                learned[len(lesson.question) : len(both)][lesson.learned] = True
                seen[:] = learned & (not lesson.is_reasoned)
                of_index = self.open_tokens.of(lesson.question, lesson.answer, lesson.asked_for)
                for index, tokens in of_index.items():
                    if index < len(ids):
                        left_open[index, : len(tokens)] = tokens
                for token, place in lesson.places:
                    if token < len(ids):
                        at[token] = place
        return Batch(
            torch.from_numpy(images),
            [torch.from_numpy(group) for group in groups],
            [torch.from_numpy(answer) for answer in answers],
            [torch.from_numpy(words) for words in read_off],
            [torch.from_numpy(place) for place in places],
            [torch.from_numpy(tokens) for tokens in open_tokens],
            torch.from_numpy(labels),
            torch.from_numpy(grids[0]),
            torch.from_numpy(grids[1]),
            torch.from_numpy(radii),
        )

    def _text(self, question, scene, rng):
        words = misspelled(rng, question.text) if rng.random() < 0.04 else question.text
        places = []
        for name, thing in question.named:
            token = text.last_token_of(self.tokenizer, words, name)
            if token is not None:
                place = (thing.x + (1 - scene.width) / 2, thing.y + (1 - scene.height) / 2)
                places.append((token, place))
        asked = text.question_ids(self.tokenizer, words)
        answer, learned = text.answer_ids(self.tokenizer, question.answer), slice(None)
        if question.is_reasoned:
            conclusion = self.aliases.conclusion(answer)
            learned = slice(conclusion)
            if rng.random() < CONCLUDED:
                asked, answer = self.aliases.renamed(rng, asked, answer)
                learned = slice(conclusion, None)
        return Lesson(
            asked,
            answer,
            learned,
            places,
            [thing for _, thing in question.named] if question.kind == "attribute" else [],
            question.is_reasoned,
        )


def _length(lesson):
    return len(lesson.question) + len(lesson.answer)


def loader(batches):
    """Makes the batches in a process of its own, some ahead."""
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=1,
        prefetch_factor=4,
        multiprocessing_context="fork",
    )
