"""Times the released model in the sandbox and in the training framework, in turns, on one picture.

    cargo build --release
    python speed.py ../../../../target/release/ampoule ../../../../samples/crowd.jpeg

Both decode the picture, look at it, read the question and answer token by token with a cache of keys
and values, on one thread. The sandbox counts fuel and watches the deadline. Printed are medians over
the rounds, and the medians of the ratios within each round.
"""

import json
import statistics
import subprocess
import sys
import time

import torch
from PIL import Image

import released
from drawing import letterbox

QUESTION = "describe the image."
ROUNDS = 7
RUNS = 10


def framework(model, tokenizer, path):
    """Milliseconds to the first token, and tokens a second after it: medians of the runs."""
    firsts, rates = [], []
    for _ in range(RUNS):
        begin = time.perf_counter()
        with Image.open(path) as image:
            pixels = letterbox(image, model.config.image_size)
        answer = released.Answer(model, tokenizer, pixels, QUESTION)
        answer.token()
        first = time.perf_counter()
        tokens = len(list(iter(answer.token, None))) + 1  # the end is computed like any other
        firsts.append(1e3 * (first - begin))
        rates.append(tokens / (time.perf_counter() - first))
    return statistics.median(firsts), statistics.median(rates)


def sandbox(ampoule, path):
    """The same, as `ampoule bench` tells it, and the milliseconds that making the sandbox takes."""
    command = [ampoule, "bench", "--json", "--runs", str(RUNS), "--image", path, "--prompt", QUESTION]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(output)
    return found["first_token_ms"], found["tokens_per_second"], found["start_ms"]


def main():
    ampoule, path = sys.argv[1:]
    torch.set_num_threads(1)
    model, tokenizer = released.load()
    rounds = [(framework(model, tokenizer, path), sandbox(ampoule, path)) for _ in range(ROUNDS)]
    median = lambda of: statistics.median(of(theirs, ours) for theirs, ours in rounds)
    print("| | first token, ms | tokens/s | sandbox, ms |")
    print("| --- | ---: | ---: | ---: |")
    print(f"| sandbox | {median(lambda t, o: o[0]):.1f} | {median(lambda t, o: o[1]):.0f} "
          f"| {median(lambda t, o: o[2]):.2f} |")
    print(f"| PyTorch {torch.__version__}, one thread | {median(lambda t, o: t[0]):.1f} "
          f"| {median(lambda t, o: t[1]):.0f} | |")
    print(f"| sandbox / PyTorch | {median(lambda t, o: o[0] / t[0]):.2f} "
          f"| {median(lambda t, o: o[1] / t[1]):.2f} | |")


if __name__ == "__main__":
    main()
