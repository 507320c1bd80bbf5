"""Named checks of a client: one line for each, and the number that failed as the exit status.

A script is given the server's base address, decorates its functions with `check`, and ends with `run()`.
"""

import struct
import sys
import traceback
import zlib
from base64 import b64encode

URL = sys.argv[1]

# The models of the server that tests/tests/serve/clients.rs starts.
EVERY_TASK = "every-task"
SLASHED = "acme/every-task"
TINY_VLM = "tiny-vlm"
FAILS_MIDWAY = "fails-midway"
BLOCKS = "blocks"
# Sleeps for as many milliseconds as tokens are asked for at most, and then says "late word".
THINKS_FIRST = "thinks-first"
# Such a silence, and a shorter time for which a client waits for the next byte, in seconds.
SILENCE_MS = 2_000
PATIENCE = 1.5
# A body above the server's bound of 32 MiB.
TOO_LARGE = 33 << 20
TRAPS = "traps"
NEVER_RETURNS = "never-returns"
NOT_NUMBERS = "not-numbers"

_checks = []


def check(function):
    _checks.append(function)
    return function


def run():
    failed = 0
    for function in _checks:
        try:
            function()
            print("ok", function.__name__, flush=True)
        except Exception as error:
            failed += 1
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"FAIL {function.__name__}: {reason}", flush=True)
            traceback.print_exc(limit=-3)
    sys.exit(min(failed, 100))


def raises(kind, function, *arguments, **named):
    """Calls a function that has to raise `kind`, and returns the exception."""
    try:
        answer = function(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected, and there was an answer: {answer!r}")


def equal(found, expected):
    assert found == expected, f"expected {expected!r}, found {found!r}"


def close(found, expected):
    equal(len(found), len(expected))
    assert all(abs(a - b) < 1e-6 for a, b in zip(found, expected)), f"{found} is not {expected}"


def png(width, height, colour):
    """Returns a PNG of one colour."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def data_uri(picture):
    return "data:image/png;base64," + b64encode(picture).decode()


def histogram(text):
    """Returns the vector that `every-task` has for a text: its bytes modulo 8, counted and brought to length 1."""
    counts = [0.0] * 8
    for byte in text.encode():
        counts[byte % 8] += 1
    norm = max(sum(count * count for count in counts) ** 0.5, 1.0)
    return [count / norm for count in counts]
