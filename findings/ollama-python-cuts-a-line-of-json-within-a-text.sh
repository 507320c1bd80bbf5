#!/usr/bin/env bash
# ollama 0.6.3 (Python) reads a stream by httpx's `iter_lines`, which ends a line wherever `str.splitlines` does: at
# U+0085, U+2028 and U+2029 too. JSON may hold these three as they are, within a text, and a line of NDJSON ends at
# LF alone. So one such character in an answer makes half a line of JSON, and the stream ends with a JSONDecodeError; the
# same answer in one piece is read well. Go's encoder, and so Ollama itself, escapes U+2028 and U+2029 but not U+0085;
# Rust's serde_json and JavaScript's JSON.stringify escape none of them.
#
# Exits 0 while that is so. Found while answering by Ollama's routes, where we escape all three now
# (host/server/src/http/line_json.rs).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install ollama==0.6.3 httpx==0.28.1
"$work/venv/bin/python" - <<'PY'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import ollama


class Server(BaseHTTPRequestHandler):
    """Repeats the prompt, in one piece or as a stream of one line and the end."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        lines = [{"model": "m", "response": asked["prompt"], "done": not asked["stream"]}]
        if asked["stream"]:
            lines.append({"model": "m", "response": "", "done": True})
        body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson" if asked["stream"] else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = ollama.Client(host=f"http://127.0.0.1:{server.server_port}")


def streamed(text):
    try:
        return "".join(part.response for part in client.generate("m", text, stream=True))
    except json.JSONDecodeError as error:
        return error


found = {}
for name, end in ("U+00E9", "\u00e9"), ("U+0085", "\u0085"), ("U+2028", "\u2028"), ("U+2029", "\u2029"):
    text = f"one{end}two"
    assert client.generate("m", text).response == text
    found[name] = streamed(text)
    print(f"{name} in a streamed text: {found[name]!r}")
sys.exit(found.pop("U+00E9") != "one\u00e9two" or not all(isinstance(e, json.JSONDecodeError) for e in found.values()))
PY
