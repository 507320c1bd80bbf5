"""Questions about a scene, and their answers in whole sentences: one answer to every question."""

from dataclasses import dataclass

import phrasings
from gaps import known_by_absence
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
    the things that the question speaks of, each with the words that name it; `phrases` are the
    descriptions that the answer was found by; an answer that `is_reasoned` says what it rests on
    before it says what was asked."""

    kind: str
    text: str
    answer: str
    key: str
    named: tuple = ()
    phrases: tuple = ()
    is_reasoned: bool = False


def plural_of(noun):
    return noun + ("es" if noun == "cross" else "s")


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
            noun = plural_of(noun)
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


def caption(scene, rng, unseen_words):
    sized = _sized(scene) and not unseen_words and rng.random() < 0.25
    if sized:
        text = pick(rng, phrasings.DETAILS)
    else:
        text = phrasings.CAPTIONS.choose(rng, unseen_words)
    phrases = caption_phrases(scene, sized)
    if not phrases:
        answer = "There are no shapes."
    else:
        answer = _list([phrase.one() for phrase in phrases]) + "."
        answer = answer[0].upper() + answer[1:]
    return Question("caption", text, answer, "; ".join(phrase.noun() for phrase in phrases))


def grounds(scene, phrase):
    """What an answer about a colour and a shape together rests on: the colours of all things of that
    shape. To find these takes no more than to know the shape, and to say them, the colours."""
    kind = Phrase(phrase.size, None, phrase.shape)
    colors = [thing.color for thing in sorted(kind.among(scene), key=lambda thing: thing.x)]
    if not colors:
        return f"There is no {kind.noun()}"
    verb = "is" if len(colors) == 1 else "are"
    return f"The {kind.noun(plural=len(colors) > 1)} {verb} {_list(colors)}"


def existence(scene, rng, unseen_words, unseen):
    phrase = _random_phrase(scene, rng, unseen)
    text, form = phrasings.EXISTENCE.choose(rng, unseen_words)
    text = text.replace("{one}", phrase.one()).replace("{many}", phrase.noun(plural=True))
    there = bool(phrase.among(scene))
    if phrase.color and phrase.shape:
        key = "yes" if there else "no"
        answer = f"{grounds(scene, phrase)}, so {key}."
        return Question("existence", text, answer, key, (), (phrase,), True)
    if form:
        answer = f"Yes, there is {phrase.one()}." if there else f"No, there is no {phrase.noun()}."
    else:
        answer = f"Yes, I see {phrase.one()}." if there else f"No, I see no {phrase.noun()}."
    return Question("existence", text, answer, "yes" if there else "no", phrases=(phrase,))


def count(scene, rng, unseen_words, unseen):
    if rng.random() < 0.25:
        phrase = Phrase(thing=pick(rng, THINGS))
    else:
        phrase = _random_phrase(scene, rng, unseen, generic=0.3)
        if not phrase.among(scene) and rng.random() < 0.6:
            phrase = _random_phrase(scene, rng, unseen, generic=0.3)
    text, answer = phrasings.COUNT.choose(rng, unseen_words)
    number = len(phrase.among(scene))
    text = text.replace("{many}", phrase.noun(plural=True))
    is_reasoned = bool(phrase.color and phrase.shape)
    if is_reasoned:
        answer = f"{grounds(scene, phrase)}: {{n}} {{noun}}."
    answer = answer.replace("{are}", "is" if number == 1 else "are")
    answer = answer.replace("{n}", NUMBERS[number])
    answer = answer.replace("{noun}", phrase.noun(plural=number != 1))
    return Question("count", text, answer, NUMBERS[number], (), (phrase,), is_reasoned)


def attribute(scene, rng, unseen_words):
    asked = ("color", "shape", "size")[int(rng.choice(3, p=(0.45, 0.35, 0.2)))]
    candidates = [
        thing
        for thing in scene.things
        if getattr(thing, asked) and (asked != "size" or _sized(scene))
    ]
    for index in rng.permutation(len(candidates)):
        thing = candidates[index]
        phrase = _names(scene, thing, rng, asked)
        if phrase:
            text, answer = phrasings.ATTRIBUTES[asked].choose(rng, unseen_words)
            value = getattr(thing, asked)
            text = text.replace("{noun}", phrase.noun())
            answer = answer.replace("{noun}", phrase.noun()).replace("{it}", value)
            return Question("attribute", text, answer, value, ((phrase.noun(), thing),), (phrase,))
    return None


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
    text = phrasings.MORE.choose(rng, unseen_words)
    text = text.replace("{a}", first.noun(plural=True)).replace("{b}", second.noun(plural=True))
    def counted(phrase, number):
        return f"{NUMBERS[number]} {phrase.noun(plural=number != 1)}"
    key = "yes" if a > b else "no"
    there = "is" if a == 1 else "are"
    tail = f"there {there} {counted(first, a)} and {counted(second, b)}."
    return Question("comparison", text, f"{key.capitalize()}, {tail}", key, phrases=(first, second))


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
    text, size = phrasings.LARGER.choose(rng, unseen_words)
    text = text.replace("{a}", first.noun()).replace("{b}", second.noun())
    word = "larger" if a.size == "large" else "smaller"
    key = "yes" if a.size == size else "no"
    answer = f"{key.capitalize()}, the {first.noun()} is {word}."
    named = ((first.noun(), a), (second.noun(), b))
    return Question("comparison", text, answer, key, named, (first, second))


def relation(scene, rng, unseen_words):
    if rng.random() < 0.4:
        return _place_of(scene, rng, unseen_words)
    side, axis, lower = pick(rng, phrasings.SIDES)
    found = _pair(scene, rng, lambda a, b: abs(getattr(a, axis) - getattr(b, axis)) > CLEAR)
    if not found:
        return None
    a, b, first, second = found
    named = ((first.noun(), a), (second.noun(), b))
    a_first = getattr(a, axis) < getattr(b, axis)
    if rng.random() < 0.2:
        text, lowest, name = phrasings.EXTREMES[axis].choose(rng, unseen_words)
        text = text.replace("{a}", first.noun()).replace("{b}", second.noun())
        noun = (first if a_first == lowest else second).noun()
        return Question("relation", text, f"The {noun} is {name}.", noun, named, (first, second))
    text = phrasings.RELATION.choose(rng, unseen_words).replace("{side}", side)
    text = text.replace("{a}", first.noun()).replace("{b}", second.noun())
    key = "yes" if a_first == lower else "no"
    name = phrasings.SIDE_NAMES[axis, a_first]
    answer = f"{key.capitalize()}, the {first.noun()} is {name} the {second.noun()}."
    return Question("relation", text, answer, key, named, (first, second))


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


def _place_of(scene, rng, unseen_words):
    for index in rng.permutation(len(scene.things)):
        thing = scene.things[index]
        row, column = _region(thing.y, scene.height), _region(thing.x, scene.width)
        phrase = _names(scene, thing, rng)
        if phrase and row is not None and column is not None:
            place = place_name(row, column)
            preposition = "at the" if place in ("top", "bottom", "left", "right") else "in the"
            if place in ("left", "right"):
                preposition = "on the"
            text = phrasings.WHERE.choose(rng, unseen_words)
            text = text.replace("{noun}", phrase.noun())
            answer = f"The {phrase.noun()} is {preposition} {place}."
            return Question("relation", text, answer, place, ((phrase.noun(), thing),), (phrase,))
    return None


KINDS = ("existence", "count", "attribute", "comparison", "relation")
def _finish(question, rng, unseen_words):
    """Fills in the word for the picture, the same one in question and answer, and opens with a
    courtesy now and then."""
    text = question.text
    if text and not unseen_words and rng.random() < 0.08:
        text = pick(rng, phrasings.OPENINGS) + text
    image = pick(rng, phrasings.IMAGES)
    return Question(
        question.kind,
        text.replace("{image}", image),
        question.answer.replace("{image}", image),
        question.key,
        question.named,
        question.phrases,
        question.is_reasoned,
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
        if question and not any(known_by_absence(scene, phrase) for phrase in question.phrases):
            questions.append(question)
    return questions, ask(scene, rng, "caption")


assert len(NUMBERS) == MOST + 1
