"""Writes what the released weights make of 50 pictures of the evaluation in the training framework:
the logits of every token of an answer that is given.

    python reference.py ../eval ../parity

`forced.json` names the pictures, questions and answers, and the tokens; `logits.safetensors` holds of
each a tensor `[answer tokens, vocabulary]`, and the pixels `[side, side, 3]` that it is about: two
decoders of JPEG do not agree to the last bit, and that is not what is compared. A test asks the
component for the same numbers.
"""

import json
import pathlib
import sys

import torch
from PIL import Image
from safetensors.torch import save

import released
import text
from drawing import letterbox

INPUTS = 50


def main():
    torch.set_num_threads(1)
    evaluation, folder = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    questions = json.loads((evaluation / "questions.json").read_text())
    model, tokenizer = released.load()
    forced, tensors = [], {}
    step = len(questions) // INPUTS
    for number, entry in enumerate(questions[: step * INPUTS : step]):
        with Image.open(evaluation / entry["image"]) as image:
            pixels = letterbox(image, model.config.image_size)
        question, answer = entry["question"], entry["answer"]
        tensors[f"{number:02}.pixels"] = torch.from_numpy(pixels.copy())
        tensors[f"{number:02}.logits"] = released.logits(model, tokenizer, pixels, question, answer)
        forced.append(
            {
                "image": entry["image"],
                "question": question,
                "answer": answer,
                "question_ids": text.question_ids(tokenizer, question),
                "answer_ids": text.answer_ids(tokenizer, answer),
            }
        )
    lines = ",\n".join(json.dumps(entry) for entry in forced)
    (folder / "forced.json").write_text(f"[\n{lines}\n]\n")
    (folder / "logits.safetensors").write_bytes(save(tensors))


if __name__ == "__main__":
    main()
