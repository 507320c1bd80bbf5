"""Asks every route of a server at random, by its own description, and checks each answer against the description.

Usage: fuzz.py URL [SECONDS [SEED]]. Schemathesis makes the requests: some as the description says and some against it.
Most of them name a model that is there, as one by chance would name none.
"""

import os
import subprocess
import sys
from pathlib import Path

# Two things are not checked. Most requests that the description allows are refused all the same, for want of such a
# model or of such a picture. And fields that nobody knows are ignored.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]


def main():
    url, *rest = sys.argv[1:]
    seconds = rest[0] if rest else "600"
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--max-time", seconds, "--request-timeout", "30", "--warnings", "off"]
    command += ["--suppress-health-check", "all", "--no-color"]
    if rest[1:]:
        command += ["--seed", rest[1]]
    folder = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(folder), "SCHEMATHESIS_HOOKS": "fuzz_hooks"}
    sys.exit(subprocess.run(command, env=environment, cwd=os.environ.get("TMPDIR", "/tmp")).returncode)


main()
