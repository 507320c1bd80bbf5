"""Makes the evaluation: pictures that training never saw, questions about them, and what someone
who does not look would answer.

    python evaluation.py ../eval

| set | what is new in it |
| --- | --- |
| `scenes` | the scenes |
| `combinations` | and pairs of colour and shape |
| `phrasings` | and how a question is asked |
| `renderer` | and what draws the pictures |

`cargo xtask eval` asks these questions through the sandbox.
"""

import collections
import io
import json
import pathlib
import sys

import torch
import torch.nn.functional as F

import drawing
import flat
import scenes
from questions import KINDS, Phrase, Question, ask, grounds, training_questions
from scenes import UNSEEN, pick, rng_of

# Far from the seeds of training.
FIRST_SEED = 500_000_000
SCENES, COMBINATIONS, PHRASINGS, RENDERER = 150, 70, 70, 90
# Of each kind, how many questions a picture of `scenes` gets.
PER_KIND = {"existence": 4, "count": 3, "attribute": 3, "comparison": 2, "relation": 3}


def distinct(scene, rng, kind, number, **options):
    found = {}
    for _ in range(number * 8):
        question = ask(scene, rng, kind, **options)
        if question and len(found) < number:
            found.setdefault(question.text, question)
    return list(found.values())


def of_scenes(scene, rng):
    questions = [ask(scene, rng, "caption")]
    for kind, number in PER_KIND.items():
        questions += distinct(scene, rng, kind, number)
    return questions


def of_phrasings(scene, rng):
    questions = [ask(scene, rng, "caption", unseen_words=True)]
    for kind in KINDS:
        questions += distinct(scene, rng, kind, 2, unseen_words=True)
    return questions


def of_combinations(scene, rng):
    """Questions that an unseen pair of colour and shape is asked by, or the answer to."""
    questions = [ask(scene, rng, "caption")]
    there = {(thing.color, thing.shape) for thing in scene.things} & UNSEEN
    for kind in ("existence", "count", "attribute", "relation"):
        asked = 0
        for _ in range(200):
            question = ask(scene, rng, kind, unseen=True)
            if question and asked < 2 and _concerns(scene, question, there):
                questions.append(question)
                asked += 1
    absent = sorted(UNSEEN - there)
    color, shape = pick(rng, absent)
    phrase = Phrase(color=color, shape=shape)
    text = f"is there {phrase.one()} in the picture?"
    questions.append(Question("existence", text, f"{grounds(scene, phrase)}, so no.", "no"))
    return questions


def _concerns(scene, question, there):
    words = f"{question.text} {question.answer}".lower()
    if any(f"{color} {shape}" in words for color, shape in UNSEEN):
        return True
    if question.kind != "attribute":
        return False
    return any(
        (shape in question.text and color == question.key)
        or (color in question.text and shape == question.key)
        for color, shape in there
    )


def sets():
    """`(set, number, scene, seed, questions)` of every picture."""
    seed = FIRST_SEED
    for name, number in (
        ("scenes", SCENES),
        ("combinations", COMBINATIONS),
        ("phrasings", PHRASINGS),
        ("renderer", RENDERER),
    ):
        for index in range(number):
            seed += 1
            scene = scenes.sample(seed, "unseen" if name == "combinations" else "seen")
            rng = rng_of(seed, 3)
            if name == "renderer":
                scene = flat.resized(scene, seed)
            of = {"combinations": of_combinations, "phrasings": of_phrasings}.get(name, of_scenes)
            questions = of(scene, rng)
            if name == "renderer":
                questions = questions[::2]
            yield name, index, scene, seed, questions


def file_of(name, scene, seed):
    """The picture as a file: what a person would send."""
    if name == "renderer":
        file = io.BytesIO()
        if seed % 2:
            flat.draw(scene, seed).save(file, "PNG", optimize=True)
            return file.getvalue(), "png"
        flat.draw(scene, seed).save(file, "WEBP", lossless=True)
        return file.getvalue(), "webp"
    return drawing.encode(drawing.draw(scene, seed), seed, png=0.08)


class Blind:
    """Answers without looking: by the kind of question alone (the majority), and by its words (a
    linear model of words and pairs of words, learned from questions of training)."""

    QUESTIONS_FROM = range(30_000, 50_000)

    def __init__(self):
        asked = []
        for seed in self.QUESTIONS_FROM:
            questions, _ = training_questions(scenes.sample(seed), seed, 8)
            asked += questions
        keys = collections.Counter(question.key for question in asked)
        self.keys = [key for key, _ in keys.most_common(60)]
        index = {key: number for number, key in enumerate(self.keys)}
        asked = [question for question in asked if question.key in index]
        self.majorities = {
            kind: collections.Counter(q.key for q in asked if q.kind == kind).most_common(1)[0][0]
            for kind in KINDS
        }
        seen = collections.Counter(word for q in asked for word in set(self._words(q.text)))
        self.vocabulary = {word: number for number, (word, _) in enumerate(seen.most_common(4000))}
        torch.manual_seed(0)
        self.weights = torch.nn.EmbeddingBag(len(self.vocabulary) + 1, len(self.keys), mode="sum")
        torch.nn.init.zeros_(self.weights.weight)
        optimizer = torch.optim.Adam(self.weights.parameters(), lr=0.02)
        bags = [self._bag(question.text) for question in asked]
        targets = torch.tensor([index[question.key] for question in asked])
        for _ in range(3):
            for rows in torch.randperm(len(bags)).split(512):
                loss = F.cross_entropy(self._scores([bags[row] for row in rows]), targets[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    @staticmethod
    def _words(text):
        words = text.replace("?", " ?").replace(".", " .").split()
        return words + [f"{a} {b}" for a, b in zip(words, words[1:])]

    def _bag(self, text):
        unknown = len(self.vocabulary)
        return torch.tensor([self.vocabulary.get(word, unknown) for word in self._words(text)])

    def _scores(self, bags):
        offsets = torch.tensor([0] + [len(bag) for bag in bags[:-1]]).cumsum(0)
        return self.weights(torch.cat(bags), offsets)

    def answer(self, question):
        return self.keys[int(self._scores([self._bag(question.text)]).argmax())]


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "images").mkdir(parents=True, exist_ok=True)
    blind = Blind()
    entries = []
    for name, index, scene, seed, questions in sets():
        data, kind = file_of(name, scene, seed)
        path = f"images/{name}-{index:03}.{kind}"
        (folder / path).write_bytes(data)
        for question in questions:
            entry = {
                "set": name,
                "image": path,
                "kind": question.kind,
                "question": question.text,
                "answer": question.answer,
                "key": question.key,
            }
            if question.kind != "caption":
                entry["majority"] = blind.majorities[question.kind]
                entry["text_only"] = blind.answer(question)
            entries.append(entry)
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (folder / "questions.json").write_text(f"[\n{lines}\n]\n")
    counts = collections.Counter((entry["set"], entry["kind"]) for entry in entries)
    for (name, kind), number in sorted(counts.items()):
        print(f"{name:14}{kind:12}{number:5}")


if __name__ == "__main__":
    main()
