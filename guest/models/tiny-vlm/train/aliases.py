"""Reasoned answers that speak of another picture, for training.

"The star is blue, so" has to go on with "yes" where a blue star was asked for, because the same word
stands in both places, and not because the picture has a blue star: who looks there again takes up
what was never seen for what is not there. So what follows is learned only where the picture does not
tell it: each colour is replaced by another, or each name of a colour, of a shape or of either by a
word drawn at random, the same one in question and answer. What is said of the picture is then not
learned.
"""

import text

# How often the words are other colours, and not words at random.
COLORS_EXCHANGED = 0.7


class Aliases:
    """Replaces the names in a question and its answer."""

    def __init__(self, tokenizer, open_tokens):
        """With the tokens that name colours and shapes."""
        self.open_tokens = open_tokens
        colors, shapes = frozenset(open_tokens.colors), frozenset(open_tokens.shapes)
        self.colors = colors
        self.replaced = (colors, shapes, colors | shapes)
        size = tokenizer.get_vocab_size()
        self.words = set(range(text.FIRST_WORD, size)) - colors - shapes
        self.conclusions = {
            tokenizer.encode(word, add_special_tokens=False).ids[-1] for word in ("red, so", "red:")
        }

    def conclusion(self, answer):
        """Where what follows from the rest of the answer begins."""
        return 1 + max(index for index, token in enumerate(answer) if token in self.conclusions)

    def renamed(self, rng, question, answer):
        """Question and answer with other words."""
        both = question + answer
        used = set(both)
        if rng.random() < COLORS_EXCHANGED:
            names = used & self.colors
            shapes = {self.open_tokens.shapes[token] for token in used & self.open_tokens.shapes.keys()}
            color_of = self.open_tokens.color_of
            words = self.colors - {color_of[shape] for shape in shapes & color_of.keys()}
        else:
            names = used & self.replaced[int(rng.integers(len(self.replaced)))]
            words = self.words - used
        chosen = rng.choice(sorted(words), len(names), replace=False)
        new = dict(zip(sorted(names), chosen.tolist()))
        both = [new.get(token, token) for token in both]
        return both[: len(question)], both[len(question) :]
