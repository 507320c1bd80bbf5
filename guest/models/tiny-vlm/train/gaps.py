"""What the pairs of colour and shape that are kept for the evaluation leave open in training.

That no star is blue in any picture of training says something about the training, and nothing
about stars. Wherever a lesson could be got right by knowing that, it is left out: a star is no
example of what is not blue, neither for a question nor for a name or the encoder's grid. So training
says of these pairs neither that they are nor that they are not. (A label of the scene is about the
whole picture: that nothing is blue there is so, whatever else there is.)
"""

import torch

from scenes import COLORS, SHAPES, UNSEEN

# The colour that a shape is never of, and the shape that a colour is never of.
COLOR_OF = {shape: color for color, shape in UNSEEN}
SHAPE_OF = {color: shape for color, shape in UNSEEN}


def known_by_absence(scene, phrase):
    """Whether the scene has a thing that is no example of the phrase merely because the pair is
    never drawn, such as a star for "blue shape"."""
    if phrase.color and phrase.shape:
        return False
    color, shape = COLOR_OF.get(phrase.shape), SHAPE_OF.get(phrase.color)
    return any(
        (color and thing.color == color) or (shape and thing.shape == shape)
        for thing in scene.things
    )


def _partners(names, others, partner_of):
    """`[names + 1, others]`: which of the others is a name's partner. The last row, for -1, has
    none."""
    rows = [[other == partner_of.get(name) for other in others] for name in names]
    return torch.tensor(rows + [[False] * len(others)])


# By the number of a shape, the colour that it is never of, and the other way round.
OPEN_COLORS = _partners(SHAPES, COLORS, COLOR_OF)
OPEN_SHAPES = _partners(COLORS, SHAPES, SHAPE_OF)


class OpenTokens:
    """Where an answer names the colour of a star, " blue" is neither right nor wrong; where it
    names the shape of something blue, neither are " star" and " stars"."""

    MOST = 4

    def __init__(self, tokenizer):
        def token(word):
            (found,) = tokenizer.encode(word, add_special_tokens=False).ids
            return found

        def forms(shape):
            return token(shape), token(shape + ("es" if shape == "cross" else "s"))

        self.colors = {token(color): color for color in COLORS}
        self.shapes = {form: shape for shape in SHAPES for form in forms(shape)}
        self.nameless = forms("shape")
        self.color_of = {shape: token(color) for shape, color in COLOR_OF.items()}
        self.shape_of = {color: forms(shape) for color, shape in SHAPE_OF.items()}
        self.orange = token("orange")
        self.articles = {token("a"): token("an"), token("A"): token("An")}

    def of(self, question, answer, asked):
        """For each index in question and answer, counted together, the tokens that are left open;
        `asked` are the things whose colour or shape is asked for."""
        both, found = question + answer, {}
        for index in range(len(question), len(both)):
            now, last = both[index], both[index - 1]
            if now in self.colors:
                near = self.shapes.get(both[index + 1])
                shapes = {near} if near else _named(self.shapes, both[:index])
                shapes |= {thing.shape for thing in asked}
                tokens = [self.color_of[shape] for shape in shapes & self.color_of.keys()]
                if self.orange in tokens and last in self.articles:
                    found[index - 1] = [self.articles[last]]
            elif now in self.shapes or now in self.nameless and last in self.colors:
                near = self.colors.get(last)
                colors = {near} if near else _named(self.colors, both[:index])
                colors |= {thing.color for thing in asked}
                tokens = [
                    form for color in colors & self.shape_of.keys() for form in self.shape_of[color]
                ]
            else:
                continue
            found[index] = sorted(set(tokens) - {now})[: self.MOST]
        return found


def _named(names, tokens):
    return {names[token] for token in tokens if token in names}
