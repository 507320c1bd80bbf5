"""The tokenizer: byte-level BPE, learned from the questions and answers of training.

Every string can be written with it, a stranger's as well; the words that the model knows are one
token each.
"""

import re

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ("<pad>", "<user>", "<assistant>", "<end>")
PAD, USER, ASSISTANT, END = range(4)
VOCABULARY = 640


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


def answer_ids(tokenizer, answer):
    return [*tokenizer.encode(answer, add_special_tokens=False).ids, END]
