"""How questions are put, and how their answers are: every phrasing of a question brings its
phrasing of the answer along.

`{image}` stands for a word for the picture, `{one}`, `{many}` and `{noun}` for a description of
things in different forms, `{a}` and `{b}` for two descriptions, `{it}`, `{n}`, `{are}` and `{side}`
for what the name says.
"""

from dataclasses import dataclass

from scenes import pick


@dataclass(frozen=True)
class Phrasings:
    """Of one kind of question: those of training, and those that are kept for the evaluation."""

    training: tuple
    kept: tuple

    def choose(self, rng, unseen_words):
        return pick(rng, self.kept if unseen_words else self.training)


IMAGES = ("image", "picture", "scene", "photo", "drawing")
OPENINGS = ("please tell me, ", "tell me: ", "look at the {image}. ", "look: ", "question: ")

CAPTIONS = Phrasings(
    training=(
        "describe the {image}.",
        "describe this {image}.",
        "what is in the {image}?",
        "what is in this {image}?",
        "what do you see?",
        "what can you see?",
        "what do you see in the {image}?",
        "tell me what is in the {image}.",
        "what does the {image} show?",
        "what is shown in the {image}?",
        "write a caption.",
        "caption this {image}.",
        "list the shapes in the {image}.",
        "what shapes are there?",
        "which shapes do you see?",
        "name everything in the {image}.",
        "what is this?",
        "describe what you see.",
        "please describe the {image}.",
    ),
    kept=(
        "tell me what you can see in this {image}.",
        "which things does the {image} show?",
        "please write a caption of this {image}.",
    ),
)
DETAILS = (
    "describe the {image} in detail.",
    "describe this {image} in detail.",
    "describe the shapes and their sizes.",
    "what do you see in detail?",
)

# Each with whether its answer says that something is there, or that it is seen.
EXISTENCE = Phrasings(
    training=(
        ("is there {one}?", 1),
        ("is there {one} in the {image}?", 1),
        ("is there {one} here?", 1),
        ("do you see {one}?", 0),
        ("do you see {one} in the {image}?", 0),
        ("can you see {one}?", 0),
        ("can you see any {many}?", 0),
        ("does the {image} have {one}?", 1),
        ("does the {image} contain {one}?", 1),
        ("does the {image} show {one}?", 1),
        ("does this {image} show any {many}?", 1),
        ("are there any {many}?", 1),
        ("are there any {many} in the {image}?", 1),
        ("are there {many} in this {image}?", 1),
        ("is {one} present?", 1),
        ("is {one} in the {image}?", 1),
        ("has the {image} got {one}?", 1),
        ("i am looking for {one}. is it there?", 1),
        ("find {one}. is there one?", 1),
        ("{one}: is it in the {image}?", 1),
        ("any {many}?", 1),
        ("is it true that there is {one}?", 1),
    ),
    kept=(
        ("does this {image} have {one} in it?", 1),
        ("can you find {one} here?", 0),
        ("is it true that the {image} contains any {many}?", 1),
    ),
)

COUNT = Phrasings(
    training=(
        ("how many {many} are there?", "There {are} {n} {noun}."),
        ("how many {many} are in the {image}?", "There {are} {n} {noun}."),
        ("how many {many} are there in the {image}?", "There {are} {n} {noun}."),
        ("how many {many} are in this {image}?", "There {are} {n} {noun}."),
        ("how many {many} do you see?", "I see {n} {noun}."),
        ("how many {many} can you see?", "I see {n} {noun}."),
        ("how many {many} can you see in the {image}?", "I see {n} {noun}."),
        ("how many {many} does the {image} show?", "The {image} shows {n} {noun}."),
        ("how many {many} does the {image} have?", "The {image} has {n} {noun}."),
        ("count the {many}.", "There {are} {n} {noun}."),
        ("count all {many} in the {image}.", "There {are} {n} {noun}."),
        ("what is the number of {many}?", "There {are} {n} {noun}."),
        ("tell me how many {many} there are.", "There {are} {n} {noun}."),
        ("how many {many}?", "There {are} {n} {noun}."),
    ),
    kept=(
        ("count the {many} that you see.", "I see {n} {noun}."),
        ("what number of {many} are in the {image}?", "There {are} {n} {noun}."),
        ("please tell me the number of {many} in this {image}.", "There {are} {n} {noun}."),
    ),
)

COLOR = Phrasings(
    training=(
        ("what color is the {noun}?", "The {noun} is {it}."),
        ("what colour is the {noun}?", "The {noun} is {it}."),
        ("what color does the {noun} have?", "The {noun} is {it}."),
        ("what is the color of the {noun}?", "The {noun} is {it}."),
        ("which color is the {noun}?", "The {noun} is {it}."),
        ("which color does the {noun} in the {image} have?", "The {noun} is {it}."),
        ("tell me the color of the {noun}.", "It is {it}."),
        ("the {noun} is of what color?", "It is {it}."),
    ),
    kept=(
        ("can you tell me what color the {noun} is?", "It is {it}."),
        ("in what color is the {noun} shown?", "The {noun} is {it}."),
    ),
)
SHAPE = Phrasings(
    training=(
        ("what shape is the {noun}?", "It is a {it}."),
        ("what is the shape of the {noun}?", "It is a {it}."),
        ("which shape does the {noun} have?", "It is a {it}."),
        ("which shape is the {noun}?", "It is a {it}."),
        ("what is the {noun}?", "It is a {it}."),
        ("tell me the shape of the {noun}.", "It is a {it}."),
    ),
    kept=(
        ("can you tell me what shape the {noun} has?", "It is a {it}."),
        ("the {noun} is of which shape?", "It is a {it}."),
    ),
)
SIZE = Phrasings(
    training=(
        ("how big is the {noun}?", "The {noun} is {it}."),
        ("how large is the {noun}?", "The {noun} is {it}."),
        ("what size is the {noun}?", "The {noun} is {it}."),
        ("what is the size of the {noun}?", "The {noun} is {it}."),
        ("is the {noun} small or large?", "The {noun} is {it}."),
        ("is the {noun} large or small?", "The {noun} is {it}."),
    ),
    kept=(
        ("tell me the size of the {noun}.", "It is {it}."),
        ("which size does the {noun} have?", "The {noun} is {it}."),
    ),
)
ATTRIBUTES = {"color": COLOR, "shape": SHAPE, "size": SIZE}

MORE = Phrasings(
    training=(
        "are there more {a} than {b}?",
        "are there more {a} than {b} in the {image}?",
        "do you see more {a} than {b}?",
        "does the {image} have more {a} than {b}?",
        "does the {image} show more {a} than {b}?",
    ),
    kept=(
        "can you see more {a} than {b} here?",
        "does this {image} contain more {a} than {b}?",
    ),
)
LARGER = Phrasings(
    training=(
        ("is the {a} larger than the {b}?", "large"),
        ("is the {a} bigger than the {b}?", "large"),
        ("is the {a} smaller than the {b}?", "small"),
    ),
    kept=(("in the {image}, is the {a} larger than the {b}?", "large"),),
)

# A side, the axis that tells, and whether it is the lower end of it.
SIDES = (
    ("left of", "x", True),
    ("right of", "x", False),
    ("to the left of", "x", True),
    ("to the right of", "x", False),
    ("above", "y", True),
    ("below", "y", False),
    ("over", "y", True),
    ("under", "y", False),
)
SIDE_NAMES = {
    ("x", True): "to the left of",
    ("x", False): "to the right of",
    ("y", True): "above",
    ("y", False): "below",
}
RELATION = Phrasings(
    training=(
        "is the {a} {side} the {b}?",
        "is the {a} {side} the {b} in the {image}?",
        "do you see the {a} {side} the {b}?",
        "is it true that the {a} is {side} the {b}?",
    ),
    kept=(
        "in this {image}, is the {a} {side} the {b}?",
        "can you see the {a} {side} the {b}?",
    ),
)

# By the axis that tells: with whether it is the lower end of it, and what the answer calls that.
EXTREMES = {
    "x": Phrasings(
        training=(
            ("which shape is on the left, the {a} or the {b}?", True, "on the left"),
            ("which shape is on the right, the {a} or the {b}?", False, "on the right"),
        ),
        kept=(
            ("the {a} or the {b}: which is on the left?", True, "on the left"),
            ("the {a} or the {b}: which is on the right?", False, "on the right"),
        ),
    ),
    "y": Phrasings(
        training=(
            ("which is higher, the {a} or the {b}?", True, "higher"),
            ("which is lower, the {a} or the {b}?", False, "lower"),
        ),
        kept=(
            ("the {a} or the {b}: which is higher?", True, "higher"),
            ("the {a} or the {b}: which is lower?", False, "lower"),
        ),
    ),
}

WHERE = Phrasings(
    training=(
        "where is the {noun}?",
        "where is the {noun} in the {image}?",
        "where do you see the {noun}?",
        "in which part of the {image} is the {noun}?",
    ),
    kept=(
        "tell me where the {noun} is.",
        "in this {image}, where is the {noun}?",
    ),
)
