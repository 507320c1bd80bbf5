"""curl: requests as documents show them, and answers to the byte."""

import json
import subprocess
import tempfile
from pathlib import Path

from checks import EVERY_TASK, URL, check, close, equal, histogram, run


class Answer:
    def __init__(self, status, head, body, seconds):
        self.status = status
        self.head = head
        self.body = body
        self.seconds = seconds

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        """Returns the values of a header, in their order."""
        lines = [line.split(":", 1) for line in self.head.splitlines() if ":" in line]
        return [value.strip() for key, value in lines if key.lower() == name]


def curl(path, *options):
    with tempfile.TemporaryDirectory() as folder:
        head, body = Path(folder, "head"), Path(folder, "body")
        command = ["curl", "--silent", "--show-error", "--max-time", "60", "--path-as-is"]
        command += ["--dump-header", head, "--output", body, "--write-out", "%{http_code} %{time_total}"]
        told = subprocess.run([*command, *options, URL + path], capture_output=True, text=True)
        equal((told.returncode, told.stderr), (0, ""))
        status, seconds = told.stdout.split()
        return Answer(int(status), head.read_text(), body.read_bytes() if body.exists() else b"", float(seconds))


def post(path, document, *options):
    """Posts JSON the short way, which names the media type of a form."""
    return curl(path, "--data-binary", document if isinstance(document, str) else json.dumps(document), *options)


def openai_error(answer, status, code):
    """Checks an error in OpenAI's form, and returns its object."""
    equal((answer.status, answer.header("content-type")), (status, ["application/json"]))
    error = answer.json()["error"]
    equal(set(error), {"message", "type", "param", "code"})
    equal(error["code"], code)
    assert answer.header("x-request-id")
    return error


@check
def vectors_are_numbers_unless_base64_is_asked_for():  # E03
    for more in ({}, {"encoding_format": "float"}, {"encoding_format": None}):
        answer = post("/v1/embeddings", {"model": EVERY_TASK, "input": "some text", **more})
        close(answer.json()["data"][0]["embedding"], histogram("some text"))
    answer = post("/v1/embeddings", {"model": EVERY_TASK, "input": "some text", "encoding_format": "base64"})
    assert isinstance(answer.json()["data"][0]["embedding"], str)


@check
def another_form_of_vectors_is_refused():  # E03
    answer = post("/v1/embeddings", {"model": EVERY_TASK, "input": "x", "encoding_format": "int8"})
    equal(openai_error(answer, 400, "input.invalid")["param"], "encoding_format")


@check
def a_body_that_is_sent_as_a_form_is_read_as_json():  # Q14
    document = {"model": EVERY_TASK, "input": "x"}
    for media_type in ("application/x-www-form-urlencoded", "application/json", "text/plain", ""):
        answer = post("/v1/embeddings", document, "--header", f"Content-Type: {media_type}")
        equal(answer.status, 200)


@check
def faults_of_a_request_are_errors_in_json():  # Q14, T01
    openai_error(post("/v1/embeddings", "{"), 400, "input.json")
    error = openai_error(post("/v1/embeddings", {"model": 7, "input": "x"}), 400, "input.invalid")
    equal(error["param"], "model")
    openai_error(post("/v1/embeddings", ""), 400, "input.json")


@check
def an_unknown_route_and_method_are_errors_in_json():  # T01
    openai_error(curl("/v1/nothing"), 404, "route.unknown")
    refused = curl("/v1/embeddings")
    openai_error(refused, 405, "route.method")
    equal(refused.header("allow"), ["POST"])
    for path in ("/api/nothing", "/v2/nothing"):
        answer = curl(path)
        equal(answer.status, 404)
        assert isinstance(answer.json()["error"], str)


@check
def doubled_slashes_and_an_empty_key_are_no_error():  # T10
    for path in ("//v1/models", "/v1//models"):
        for key in ("Authorization;", "Authorization: Bearer", "Authorization: Bearer anything"):
            equal(curl(path, "--header", key).status, 200)


@check
def dots_in_a_name_lead_nowhere():  # T11
    for name in ("%2e%2e", "..%2Fmodels", "%2e%2e%2fmodels%2fevery-task", "../models/every-task"):
        openai_error(curl(f"/v1/models/{name}"), 404, "model_not_found")


@check
def a_large_body_does_not_wait_to_be_asked_for():  # T06
    with tempfile.NamedTemporaryFile("w") as file:
        texts = ["x" * 20_000] * 100
        json.dump({"model": EVERY_TASK, "input": texts, "truncate_prompt_tokens": -1}, file)
        file.flush()
        answer = curl("/v1/embeddings", "--data-binary", f"@{file.name}", "--header", "Expect: 100-continue",
                      "--expect100-timeout", "50")
    equal(answer.status, 200)
    assert "100 Continue" in answer.head, answer.head
    assert answer.seconds < 40, "curl waited for the answer in between"


@check
def a_body_that_is_too_large_is_refused_and_not_sent():  # T04, T06
    with tempfile.NamedTemporaryFile("wb") as file:
        file.truncate(33 << 20)
        answer = curl("/v1/embeddings", "--data-binary", f"@{file.name}", "--header", "Expect: 100-continue",
                      "--expect100-timeout", "50")
    openai_error(answer, 413, "input.body-too-large")
    assert "100 Continue" not in answer.head, answer.head


@check
def the_documents_of_ollama_work_as_they_stand():  # Q14, O01
    answer = curl("/api/generate", "-d", f'{{\n  "model": "{EVERY_TASK}",\n  "prompt": "Why is the sky blue?"\n}}')
    equal(answer.header("content-type"), ["application/x-ndjson"])
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    equal("".join(line["response"] for line in lines), "Why is the sky blue?")
    equal(lines[-1]["done"], True)


@check
def watchers_of_ollama_get_and_head():  # O05
    for path in ("/", "/api/tags", "/api/version", "/api/ps"):
        equal(curl(path).status, 200)
    for path in ("/", "/api/tags", "/api/version"):
        equal(curl(path, "--head").status, 200)
    equal(curl("/").body, b"Ollama is running")


@check
def a_foreign_name_for_this_machine_is_refused():  # O08
    port = URL.rsplit(":", 1)[1]
    for host in ("localhost", f"localhost:{port}", "127.0.0.1", "[::1]:80"):
        equal(curl("/api/tags", "--header", f"Host: {host}").status, 200)
    for path in ("/api/tags", "/v1/models", "/healthz"):
        for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example"):
            answer = curl(path, "--header", f"Host: {host}", "--header", "Origin: http://localhost")
            equal((answer.status, answer.header("content-type")), (403, ["application/json"]))


@check
def a_page_of_another_site_gets_no_leave_to_ask():  # T03
    site = ["--header", "Origin: https://other.example", "--header", "Sec-Fetch-Site: cross-site"]
    asked = ["--header", "Access-Control-Request-Method: POST"]
    asked += ["--header", "Access-Control-Request-Headers: authorization, content-type, x-stainless-os"]
    chat = {"model": EVERY_TASK, "messages": [{"role": "user", "content": "one"}]}
    for answer, status in (
        (curl("/v1/chat/completions", "--request", "OPTIONS", *site, *asked), 403),
        (post("/v1/chat/completions", chat, *site), 403),
        (curl("/v1/models", *site), 200),
    ):
        equal(answer.status, status)
        assert "access-control" not in answer.head.lower(), answer.head


@check
def a_stream_says_that_it_is_not_to_be_kept():  # S13, S09
    messages = [{"role": "user", "content": "one two"}]
    answer = post("/v1/chat/completions", {"model": EVERY_TASK, "messages": messages, "stream": True})
    equal(answer.header("content-type"), ["text/event-stream"])
    equal((answer.header("cache-control"), answer.header("x-accel-buffering")), (["no-cache"], ["no"]))
    events = answer.body.decode().split("\n\n")
    equal(events[-2:], ["data: [DONE]", ""])
    for event in events[:-2]:
        assert event.startswith("data: {") and "\n" not in event, event


run()
