"""Questions about a scene, and their answers in whole sentences.

A phrasing of a question brings its phrasing of the answer along, so that every question has one
answer. Some phrasings are kept for the evaluation: training never sees them.
"""

from dataclasses import dataclass

from scenes import COLORS, MOST, SHAPES, UNSEEN, pick, rng_of

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
THINGS = ("shape", "object", "thing")
# Where nothing is said about the shape, an answer calls it this.
THING = "shape"
# Centres that are nearer to each other than this, or to a border between regions, are not asked
# about.
CLEAR = 0.06


@dataclass(frozen=True)
class Question:
    """`kind` is the column of the evaluation; `key` is what the answer must say: `yes` or `no`,
    a number, a colour, a shape, a size, a place, a thing, or all things of a caption; `named` are
    the things that the question speaks of, each with the words that name it."""

    kind: str
    text: str
    answer: str
    key: str
    named: tuple = ()


@dataclass(frozen=True)
class Phrase:
    """A description such as "small red circle"; what is None is not said."""

    size: str | None = None
    color: str | None = None
    shape: str | None = None
    thing: str = THING

    def noun(self, plural=False):
        noun = self.shape or self.thing
        if plural:
            noun += "es" if noun == "cross" else "s"
        return " ".join(word for word in (self.size, self.color, noun) if word)

    def one(self):
        noun = self.noun()
        return ("an " if noun[0] in "aeiou" else "a ") + noun

    def matches(self, thing):
        return (
            self.size in (None, thing.size)
            and self.color in (None, thing.color)
            and self.shape in (None, thing.shape)
        )

    def among(self, scene):
        return [thing for thing in scene.things if self.matches(thing)]


def _sized(scene):
    """Whether sizes may be talked about: nothing is of a size without a name."""
    return all(thing.size != "medium" for thing in scene.things)


def _random_phrase(scene, rng, unseen, generic=0.15):
    """A phrase that more often than not says something of a thing that is there."""
    source = pick(rng, scene.things) if scene.things and rng.random() < 0.75 else None
    color = source.color if source else pick(rng, COLORS)
    shape = source.shape if source else pick(rng, SHAPES)
    if source and rng.random() < 0.3:  # half right is the hard way to be wrong
        if rng.random() < 0.5:
            color = pick(rng, COLORS)
        else:
            shape = pick(rng, SHAPES)
    size = None
    if _sized(scene) and rng.random() < 0.18:
        size = source.size if source and rng.random() < 0.7 else pick(rng, ("small", "large"))
    form = rng.random()
    if form < 0.25:
        color = None
    elif form < 0.25 + generic:
        shape = None
    phrase = Phrase(size, color, shape, pick(rng, THINGS))
    if not unseen and (phrase.color, phrase.shape) in UNSEEN:
        return _random_phrase(scene, rng, unseen, generic)
    return phrase


def _names(scene, thing, rng, also=None):
    """A phrase that fits this thing and no other, or None. `also` must not be given away."""
    options = [
        Phrase(shape=thing.shape),
        Phrase(color=thing.color, thing=pick(rng, THINGS)),
        Phrase(color=thing.color, shape=thing.shape),
    ]
    if _sized(scene):
        options += [
            Phrase(size=thing.size, thing=pick(rng, THINGS)),
            Phrase(size=thing.size, shape=thing.shape),
            Phrase(size=thing.size, color=thing.color, shape=thing.shape),
        ]
    options = [
        phrase
        for phrase in options
        if len(phrase.among(scene)) == 1 and (also is None or getattr(phrase, also) is None)
    ]
    return pick(rng, options) if options else None


def caption_phrases(scene, sized=False):
    """The things from left to right, as a caption tells them."""
    ordered = sorted(scene.things, key=lambda thing: thing.x)
    return [
        Phrase(thing.size if sized else None, thing.color, thing.shape) for thing in ordered
    ]


def _list(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


CAPTIONS = (
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
)
CAPTIONS_UNSEEN = (
    "tell me what you can see in this {image}.",
    "which things does the {image} show?",
    "please write a caption of this {image}.",
)
DETAILS = (
    "describe the {image} in detail.",
    "describe this {image} in detail.",
    "describe the shapes and their sizes.",
    "what do you see in detail?",
)


def caption(scene, rng, unseen_words):
    sized = _sized(scene) and not unseen_words and rng.random() < 0.25
    templates = CAPTIONS_UNSEEN if unseen_words else DETAILS if sized else CAPTIONS
    text = pick(rng, templates)
    phrases = caption_phrases(scene, sized)
    if not phrases:
        answer = "There are no shapes."
    else:
        answer = _list([phrase.one() for phrase in phrases]) + "."
        answer = answer[0].upper() + answer[1:]
    return Question("caption", text, answer, "; ".join(phrase.noun() for phrase in phrases))


EXISTENCE = (
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
)
EXISTENCE_UNSEEN = (
    ("does this {image} have {one} in it?", 1),
    ("can you find {one} here?", 0),
    ("is it true that the {image} contains any {many}?", 1),
)


def existence(scene, rng, unseen_words, unseen):
    phrase = _random_phrase(scene, rng, unseen)
    text, form = pick(rng, EXISTENCE_UNSEEN if unseen_words else EXISTENCE)
    text = text.replace("{one}", phrase.one()).replace("{many}", phrase.noun(plural=True))
    there = bool(phrase.among(scene))
    if form:
        answer = f"Yes, there is {phrase.one()}." if there else f"No, there is no {phrase.noun()}."
    else:
        answer = f"Yes, I see {phrase.one()}." if there else f"No, I see no {phrase.noun()}."
    return Question("existence", text, answer, "yes" if there else "no")


COUNT = (
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
)
COUNT_UNSEEN = (
    ("count the {many} that you see.", "I see {n} {noun}."),
    ("what number of {many} are in the {image}?", "There {are} {n} {noun}."),
    ("please tell me the number of {many} in this {image}.", "There {are} {n} {noun}."),
)


def count(scene, rng, unseen_words, unseen):
    if rng.random() < 0.25:
        phrase = Phrase(thing=pick(rng, THINGS))
    else:
        phrase = _random_phrase(scene, rng, unseen, generic=0.3)
        if not phrase.among(scene) and rng.random() < 0.6:
            phrase = _random_phrase(scene, rng, unseen, generic=0.3)
    text, answer = pick(rng, COUNT_UNSEEN if unseen_words else COUNT)
    number = len(phrase.among(scene))
    text = text.replace("{many}", phrase.noun(plural=True))
    answer = answer.replace("{are}", "is" if number == 1 else "are")
    answer = answer.replace("{n}", NUMBERS[number])
    answer = answer.replace("{noun}", phrase.noun(plural=number != 1))
    return Question("count", text, answer, NUMBERS[number])


COLOR = (
    ("what color is the {noun}?", "The {noun} is {it}."),
    ("what colour is the {noun}?", "The {noun} is {it}."),
    ("what color does the {noun} have?", "The {noun} is {it}."),
    ("what is the color of the {noun}?", "The {noun} is {it}."),
    ("which color is the {noun}?", "The {noun} is {it}."),
    ("which color does the {noun} in the {image} have?", "The {noun} is {it}."),
    ("tell me the color of the {noun}.", "It is {it}."),
    ("the {noun} is of what color?", "It is {it}."),
)
COLOR_UNSEEN = (
    ("can you tell me what color the {noun} is?", "It is {it}."),
    ("in what color is the {noun} shown?", "The {noun} is {it}."),
)
SHAPE = (
    ("what shape is the {noun}?", "It is a {it}."),
    ("what is the shape of the {noun}?", "It is a {it}."),
    ("which shape does the {noun} have?", "It is a {it}."),
    ("which shape is the {noun}?", "It is a {it}."),
    ("what is the {noun}?", "It is a {it}."),
    ("tell me the shape of the {noun}.", "It is a {it}."),
)
SHAPE_UNSEEN = (
    ("can you tell me what shape the {noun} has?", "It is a {it}."),
    ("the {noun} is of which shape?", "It is a {it}."),
)
SIZE = (
    ("how big is the {noun}?", "The {noun} is {it}."),
    ("how large is the {noun}?", "The {noun} is {it}."),
    ("what size is the {noun}?", "The {noun} is {it}."),
    ("what is the size of the {noun}?", "The {noun} is {it}."),
    ("is the {noun} small or large?", "The {noun} is {it}."),
    ("is the {noun} large or small?", "The {noun} is {it}."),
)
SIZE_UNSEEN = (
    ("tell me the size of the {noun}.", "It is {it}."),
    ("which size does the {noun} have?", "The {noun} is {it}."),
)
ATTRIBUTES = {
    "color": (COLOR, COLOR_UNSEEN),
    "shape": (SHAPE, SHAPE_UNSEEN),
    "size": (SIZE, SIZE_UNSEEN),
}


def attribute(scene, rng, unseen_words):
    asked = ("color", "shape", "size")[int(rng.choice(3, p=(0.45, 0.35, 0.2)))]
    candidates = [thing for thing in scene.things if asked != "size" or _sized(scene)]
    for index in rng.permutation(len(candidates)):
        thing = candidates[index]
        phrase = _names(scene, thing, rng, asked)
        if phrase:
            text, answer = pick(rng, ATTRIBUTES[asked][unseen_words])
            value = getattr(thing, asked)
            text = text.replace("{noun}", phrase.noun())
            answer = answer.replace("{noun}", phrase.noun()).replace("{it}", value)
            return Question("attribute", text, answer, value, ((phrase.noun(), thing),))
    return None


MORE = (
    "are there more {a} than {b}?",
    "are there more {a} than {b} in the {image}?",
    "do you see more {a} than {b}?",
    "does the {image} have more {a} than {b}?",
    "does the {image} show more {a} than {b}?",
)
MORE_UNSEEN = (
    "can you see more {a} than {b} here?",
    "does this {image} contain more {a} than {b}?",
)
LARGER = (
    ("is the {a} larger than the {b}?", "large"),
    ("is the {a} bigger than the {b}?", "large"),
    ("is the {a} smaller than the {b}?", "small"),
)
LARGER_UNSEEN = (("in the {image}, is the {a} larger than the {b}?", "large"),)


def comparison(scene, rng, unseen_words, unseen):
    if rng.random() < 0.4:
        return _larger(scene, rng, unseen_words)
    first = _random_phrase(scene, rng, unseen, generic=0.45)
    second = _random_phrase(scene, rng, unseen, generic=0.45)
    if rng.random() < 0.8:  # like with like: circles with stars, red ones with blue ones
        if first.color and not first.shape:
            second = Phrase(color=pick(rng, COLORS), thing=first.thing)
        else:
            first, second = Phrase(shape=first.shape), Phrase(shape=second.shape or "circle")
    if first == second:
        return None
    a, b = len(first.among(scene)), len(second.among(scene))
    if a + b == 0:
        return None
    text = pick(rng, MORE_UNSEEN if unseen_words else MORE)
    text = text.replace("{a}", first.noun(plural=True)).replace("{b}", second.noun(plural=True))
    def counted(phrase, number):
        return f"{NUMBERS[number]} {phrase.noun(plural=number != 1)}"
    key = "yes" if a > b else "no"
    there = "is" if a == 1 else "are"
    tail = f"there {there} {counted(first, a)} and {counted(second, b)}."
    return Question("comparison", text, f"{key.capitalize()}, {tail}", key)


def _pair(scene, rng, apart):
    """Two things that each have a phrase of their own, and are `apart`."""
    things = scene.things
    pairs = [(a, b) for a in things for b in things if a is not b and apart(a, b)]
    for index in rng.permutation(len(pairs))[:6]:
        a, b = pairs[index]
        first, second = _names(scene, a, rng), _names(scene, b, rng)
        if first and second:
            return a, b, first, second
    return None


def _larger(scene, rng, unseen_words):
    found = _pair(scene, rng, lambda a, b: {a.size, b.size} == {"small", "large"})
    if not found:
        return None
    a, b, first, second = found
    text, size = pick(rng, LARGER_UNSEEN if unseen_words else LARGER)
    text = text.replace("{a}", first.noun()).replace("{b}", second.noun())
    word = "larger" if a.size == "large" else "smaller"
    key = "yes" if a.size == size else "no"
    answer = f"{key.capitalize()}, the {first.noun()} is {word}."
    named = ((first.noun(), a), (second.noun(), b))
    return Question("comparison", text, answer, key, named)


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
RELATION = (
    "is the {a} {side} the {b}?",
    "is the {a} {side} the {b} in the {image}?",
    "do you see the {a} {side} the {b}?",
    "is it true that the {a} is {side} the {b}?",
)
RELATION_UNSEEN = (
    "in this {image}, is the {a} {side} the {b}?",
    "can you see the {a} {side} the {b}?",
)
EXTREMES = (
    ("which shape is on the left, the {a} or the {b}?", "x", True, "on the left"),
    ("which shape is on the right, the {a} or the {b}?", "x", False, "on the right"),
    ("which is higher, the {a} or the {b}?", "y", True, "higher"),
    ("which is lower, the {a} or the {b}?", "y", False, "lower"),
)


def relation(scene, rng, unseen_words):
    if rng.random() < 0.4 and not unseen_words:
        return _place_of(scene, rng)
    text, axis, lower = pick(rng, SIDES)
    found = _pair(scene, rng, lambda a, b: abs(getattr(a, axis) - getattr(b, axis)) > CLEAR)
    if not found:
        return None
    a, b, first, second = found
    named = ((first.noun(), a), (second.noun(), b))
    a_first = getattr(a, axis) < getattr(b, axis)
    if rng.random() < 0.2 and not unseen_words:
        text, axis, lower, name = pick(rng, [extreme for extreme in EXTREMES if extreme[1] == axis])
        text = text.replace("{a}", first.noun()).replace("{b}", second.noun())
        noun = (first if a_first == lower else second).noun()
        return Question("relation", text, f"The {noun} is {name}.", noun, named)
    side, (axis, lower) = text, (axis, lower)
    text = pick(rng, RELATION_UNSEEN if unseen_words else RELATION).replace("{side}", side)
    text = text.replace("{a}", first.noun()).replace("{b}", second.noun())
    key = "yes" if a_first == lower else "no"
    name = SIDE_NAMES[axis, a_first]
    answer = f"{key.capitalize()}, the {first.noun()} is {name} the {second.noun()}."
    return Question("relation", text, answer, key, named)


WHERE = (
    "where is the {noun}?",
    "where is the {noun} in the {image}?",
    "where do you see the {noun}?",
    "in which part of the {image} is the {noun}?",
)
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "middle", "right")


def _region(position, length):
    """Which third, or None when the border is too near to say."""
    part = position / length * 3
    if min(abs(part - 1), abs(part - 2)) < 3 * CLEAR / 2:
        return None
    return min(int(part), 2)


def place_name(row, column):
    words = [name for name in (ROWS[row], COLUMNS[column]) if name != "middle"]
    return " ".join(words) or "middle"


def _place_of(scene, rng):
    for index in rng.permutation(len(scene.things)):
        thing = scene.things[index]
        row, column = _region(thing.y, scene.height), _region(thing.x, scene.width)
        phrase = _names(scene, thing, rng)
        if phrase and row is not None and column is not None:
            place = place_name(row, column)
            preposition = "at the" if place in ("top", "bottom", "left", "right") else "in the"
            if place in ("left", "right"):
                preposition = "on the"
            text = pick(rng, WHERE).replace("{noun}", phrase.noun())
            answer = f"The {phrase.noun()} is {preposition} {place}."
            return Question("relation", text, answer, place, ((phrase.noun(), thing),))
    return None


KINDS = ("existence", "count", "attribute", "comparison", "relation")
IMAGES = ("image", "picture", "scene", "photo", "drawing")
OPENINGS = ("please tell me, ", "tell me: ", "look at the {image}. ", "look: ", "question: ")


def _finish(question, rng, unseen_words):
    """Fills in the word for the picture, the same one in question and answer, and opens with a
    courtesy now and then."""
    text = question.text
    if text and not unseen_words and rng.random() < 0.08:
        text = pick(rng, OPENINGS) + text
    image = pick(rng, IMAGES)
    return Question(
        question.kind,
        text.replace("{image}", image),
        question.answer.replace("{image}", image),
        question.key,
        question.named,
    )


def ask(scene, rng, kind, unseen_words=False, unseen=False):
    """A question of this kind, or None where the scene gives no occasion for one."""
    if kind == "caption":
        question = caption(scene, rng, unseen_words)
    elif kind == "existence":
        question = existence(scene, rng, unseen_words, unseen)
    elif kind == "count":
        question = count(scene, rng, unseen_words, unseen)
    elif kind == "attribute":
        question = attribute(scene, rng, unseen_words)
    elif kind == "comparison":
        question = comparison(scene, rng, unseen_words, unseen)
    elif kind == "relation":
        question = relation(scene, rng, unseen_words)
    else:
        raise ValueError(kind)
    return question and _finish(question, rng, unseen_words)


TRAINING_SHARES = (0.15, 0.19, 0.16, 0.13, 0.37)


def training_questions(scene, seed, number):
    """`number` questions without captions, then one caption."""
    rng = rng_of(seed, 3)
    questions = []
    while len(questions) < number:
        question = ask(scene, rng, KINDS[int(rng.choice(len(KINDS), p=TRAINING_SHARES))])
        if question:
            questions.append(question)
    return questions, ask(scene, rng, "caption")


assert len(NUMBERS) == MOST + 1
