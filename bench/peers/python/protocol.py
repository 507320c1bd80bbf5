"""What an engine of the benchmark and its driver say to each other: a line of JSON each way, as
`engine/src/lib.rs` describes it."""

import json
import sys
import time


class Missing(Exception):
    """The engine does not have what it is asked for."""


def serve(prepare):
    """Serves the driver until it closes standard input. `prepare` makes of a job a description, a
    function that computes once, and what it computes, for the driver to compare; with one that
    returns milliseconds itself, `timed_inside`, those count."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    compute = None
    for line in sys.stdin:
        try:
            asked = json.loads(line)
            if "prepare" in asked:
                compute = None
                about, compute, output = prepare(asked["prepare"])
                answer = {"about": about, "output": output}
            elif "run" in asked:
                answer = {"ms": [milliseconds(compute) for _ in range(asked["run"]["times"])]}
            else:
                raise Missing("this engine has no sandboxes")
        except Missing as why:
            answer = {"missing": str(why)}
        except Exception as error:  # whatever it is, the driver says which engine it came from
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def milliseconds(compute):
    if getattr(compute, "timed_inside", False):
        return compute()
    begin = time.perf_counter()
    compute()
    return 1e3 * (time.perf_counter() - begin)
