"""The tokenizer: byte-level BPE, learned from the questions and answers of training.

Every string can be written with it, a stranger's as well; the words that the model knows are one
token each.
"""

import re

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ("<pad>", "<user>", "<assistant>", "<end>")
PAD, USER, ASSISTANT, END = range(4)
VOCABULARY = 640
# Below are the special tokens and the single bytes.
FIRST_WORD = len(SPECIAL) + 256


def normalized(question):
    """What the guest does to a question before it is tokenized."""
    return re.sub(r"\s+", " ", question).strip().lower()


def learn(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def question_ids(tokenizer, question):
    return [USER, *tokenizer.encode(normalized(question), add_special_tokens=False).ids, ASSISTANT]


def last_token_of(tokenizer, question, words):
    """The index in `question_ids` of the token that the first `words` of a question end with, or None
    where they do not occur."""
    question = normalized(question)
    at = f"{question} ".find(f"the {words}")
    if at < 0:
        return None
    end = at + len(f"the {words}") - 1
    offsets = tokenizer.encode(question, add_special_tokens=False).offsets
    for index, (first, last) in enumerate(offsets):
        if first <= end < last:
            return 1 + index
    return None


def answer_ids(tokenizer, answer):
    return [*tokenizer.encode(answer, add_special_tokens=False).ids, END]
