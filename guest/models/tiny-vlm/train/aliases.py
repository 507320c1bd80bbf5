"""Reasoned answers with other words in the place of colours and shapes, for training.

"The star is blue, so" has to go on with "yes" where a blue star was asked for, because the same word
stands in both places, and not because blue stars are known. So in some lessons each name of a
colour, of a shape or of either is replaced by a word drawn at random, the same one in question and
answer. What is said of the picture is then not learned, only what follows from it.
"""

import text


class Aliases:
    """Replaces the names in a question and its answer."""

    def __init__(self, tokenizer, colors, shapes):
        """The tokens that stand for colours and those that stand for shapes."""
        both = frozenset(colors) | frozenset(shapes)
        self.replaced = (frozenset(colors), frozenset(shapes), both)
        size = tokenizer.get_vocab_size()
        self.words = [token for token in range(text.FIRST_WORD, size) if token not in both]
        self.conclusions = {
            tokenizer.encode(word, add_special_tokens=False).ids[-1] for word in ("red, so", "red:")
        }

    def renamed(self, rng, question, answer):
        """Question and answer with other words, and how many tokens of the answer to pass over."""
        both = question + answer
        used = set(both)
        names = sorted(used & self.replaced[int(rng.integers(len(self.replaced)))])
        words = [word for word in self.words if word not in used]
        chosen = rng.choice(len(words), len(names), replace=False)
        new = {name: words[at] for name, at in zip(names, chosen)}
        both = [new.get(token, token) for token in both]
        last = max(index for index, token in enumerate(answer) if token in self.conclusions)
        return both[: len(question)], both[len(question) :], last + 1
