#!/usr/bin/env bash
# uvicorn 0.54.0 without uvloop sends the head and the body of an answer in two writes. With `--workers 2` its parent
# makes the listening socket by `socket.socket(family)`, whose protocol number is 0, and asyncio switches Nagle's
# algorithm off only on sockets with the number of TCP. So the body waits for the client's delayed acknowledgement of
# the head: 40 ms for each answer on a kept connection, on loopback too. One process, or uvloop, answers in under 1 ms.
# A benchmark beside such a server measures the timer.
#
# Exits 0 while that is so.
set -euo pipefail

work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap 'stop; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install uvicorn==0.54.0 uvloop==0.23.0 h11==0.16.0

cat >"$work/app.py" <<'PY'
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8000")]})
        await send({"type": "http.response.body", "body": b"y" * 8000})
PY

cat >"$work/median.py" <<'PY'
import http.client
import statistics
import sys
import time

port = int(sys.argv[1])
for _ in range(200):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.connect()
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
times = []
for _ in range(60):
    start = time.perf_counter()
    connection.request("GET", "/")
    connection.getresponse().read()
    times.append(1000 * (time.perf_counter() - start))
print(f"{statistics.median(times):.2f}")
PY

port=$("$work/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
measure() {
    "$work/venv/bin/python" -m uvicorn app:app --app-dir "$work" --port "$port" --log-level error \
        --lifespan off --workers "$1" --loop "$2" &
    server=$!
    "$work/venv/bin/python" "$work/median.py" "$port"
    stop
}
measure 1 asyncio >"$work/one"
measure 2 asyncio >"$work/two"
measure 2 uvloop >"$work/uvloop"
printf 'uvicorn 0.54.0, median ms: %s with one process, %s with two workers, %s with two workers and uvloop\n' \
    "$(<"$work/one")" "$(<"$work/two")" "$(<"$work/uvloop")"
awk -v one="$(<"$work/one")" -v two="$(<"$work/two")" -v loop="$(<"$work/uvloop")" \
    'BEGIN { exit !(two > 30 && one < 20 && loop < 20) }'
