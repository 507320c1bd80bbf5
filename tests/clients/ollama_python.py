"""The `ollama` package for Python."""

from base64 import b64encode
from datetime import datetime

import ollama
from checks import (
    BLOCKS, EVERY_TASK, FAILS_MIDWAY, PATIENCE, SILENCE_MS, THINKS_FIRST, TINY_VLM, TOO_LARGE, URL, check, close,
    data_uri, equal, histogram, png, raises, run,
)

client = ollama.Client(host=URL, timeout=60)
PICTURE = png(3, 2, (250, 20, 20))
TEXT = "one two three"
MESSAGES = [{"role": "user", "content": TEXT}]


@check
def a_chat_is_whole_or_streamed():  # O01
    whole = client.chat(EVERY_TASK, MESSAGES)
    equal((whole.message.content, whole.message.role), (TEXT, "assistant"))
    parts = list(client.chat(EVERY_TASK, MESSAGES, stream=True))
    equal("".join(part.message.content for part in parts), TEXT)
    equal([part.done for part in parts], [False] * (len(parts) - 1) + [True])
    for last in (whole, parts[-1]):
        equal((last.done_reason, last.prompt_eval_count, last.eval_count), ("stop", 3, 3))
        for name in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"):
            assert isinstance(last[name], int), name
        assert 1_000 < last.total_duration < 60_000_000_000, last.total_duration
        assert datetime.fromisoformat(last.created_at.replace("Z", "+00:00")).year >= 2026


@check
def a_prompt_is_continued_whole_or_streamed():  # O01
    whole = client.generate(EVERY_TASK, TEXT)
    equal((whole.response, whole.done), (TEXT, True))
    parts = list(client.generate(EVERY_TASK, TEXT, stream=True))
    equal("".join(part.response for part in parts), TEXT)
    assert parts[-1].done and parts[-1].eval_count == 3


@check
def a_stream_may_hold_what_python_takes_for_the_end_of_a_line():
    text = "one\u0085 two\u2028three \u2029four\u2028"
    equal(client.generate(EVERY_TASK, text).response, text)
    parts = list(client.generate(EVERY_TASK, text, stream=True))
    equal("".join(part.response for part in parts), text)


@check
def options_count():
    answer = client.generate(EVERY_TASK, TEXT, options={"num_predict": 2})
    equal((answer.response.strip(), answer.done_reason), ("one two", "length"))
    answer = client.generate(EVERY_TASK, TEXT, options={"stop": ["wo thr"]})
    equal((answer.response, answer.done_reason), ("one t", "stop"))


@check
def errors_are_texts_with_a_status():  # O02
    for stream in (False, True):
        call = lambda: list(client.chat("gpt-5", MESSAGES, stream=stream))
        error = raises(ollama.ResponseError, call)
        equal(error.status_code, 404)
        assert "not found" in error.error and "{" not in error.error, error.error


@check
def a_failure_in_the_middle_of_a_stream_is_raised():  # O02
    parts = []
    read = lambda: [parts.append(part) for part in client.chat(FAILS_MIDWAY, MESSAGES, stream=True)]
    error = raises(ollama.ResponseError, read)
    assert error.error and "{" not in error.error, error.error
    equal("".join(part.message.content for part in parts), "word word ")


@check
def silence_has_no_empty_lines():  # O01
    parts = []
    error = raises(ollama.ResponseError, lambda: [parts.append(part) for part in client.generate(BLOCKS, "x", stream=True)])
    equal("".join(part.response for part in parts), "once ")
    assert "time" in error.error or "deadline" in error.error, error.error


@check
def silence_before_the_first_token_is_no_end():  # O01, S10
    patient = ollama.Client(host=URL, timeout=PATIENCE)
    parts = list(patient.chat(THINKS_FIRST, MESSAGES, stream=True, options={"num_predict": SILENCE_MS}))
    equal(("".join(part.message.content for part in parts), parts[-1].done_reason), ("late word", "stop"))
    assert parts[-1].prompt_eval_duration > SILENCE_MS * 1_000_000, parts[-1]


@check
def a_refusal_in_the_middle_of_an_upload_is_seen():  # T05
    error = raises(ollama.ResponseError, client.embed, EVERY_TASK, "x" * TOO_LARGE)
    equal(error.status_code, 413)


@check
def vectors_have_length_one():  # O03
    answer = client.embed(EVERY_TASK, ["some text", "other"])
    for text, vector in zip(["some text", "other"], answer.embeddings):
        close(vector, histogram(text))
    equal(answer.prompt_eval_count, len("some text") + len("other"))
    close(client.embed(EVERY_TASK, "one").embeddings[0], histogram("one"))
    close(client.embeddings(EVERY_TASK, "one").embedding, histogram("one"))


@check
def the_field_of_the_other_route_is_named():  # O03
    for path, wrong, right in (("/api/embed", "prompt", "input"), ("/api/embeddings", "input", "prompt")):
        body = {"model": EVERY_TASK, wrong: "x"}
        error = raises(ollama.ResponseError, client._request, dict, "POST", path, json=body)
        equal(error.status_code, 400)
        assert f"`{right}`" in error.error, error.error


@check
def no_texts_are_an_error_of_the_caller():
    equal(raises(ollama.ResponseError, client.embed, EVERY_TASK, []).status_code, 400)


@check
def a_text_that_is_too_long_is_cut_unless_that_is_refused():
    long = ["x", "x" * 600]
    equal(len(client.embed(EVERY_TASK, long).embeddings), 2)
    error = raises(ollama.ResponseError, client.embed, EVERY_TASK, long, truncate=False)
    equal(error.status_code, 400)
    assert "exceeds the context length" in error.error, error.error


@check
def a_name_has_a_tag_or_none():  # O04
    names = {model.model for model in client.list().models}
    assert {"every-task:latest", "acme/every-task:latest", "tiny-vlm:latest"} <= names, names
    for name in ("every-task", "every-task:latest", "acme/every-task", "acme/every-task:latest"):
        equal(client.generate(name, "x").response, "x")
        equal(client.show(name).details.format, "wasm")
    equal(raises(ollama.ResponseError, client.show, "every-task:7b").status_code, 404)


@check
def models_are_listed_as_clients_parse_them():  # O06, O05
    for model in client.list().models:
        assert model.model and model.digest and model.size > 0 and model.modified_at.year >= 2026, model
        assert model.details.family is not None
    assert {"every-task:latest"} <= {model.model for model in client.ps().models}
    assert "completion" in client.show(TINY_VLM).capabilities


@check
def pictures_come_as_bytes_base64_or_data_addresses():  # O07
    for picture in (PICTURE, b64encode(PICTURE).decode()):
        answer = client.generate(EVERY_TASK, "see", images=[picture])
        equal(set(answer.response.split()), {"see", "[3x2]"})
        message = {"role": "user", "content": "see", "images": [picture]}
        equal(set(client.chat(EVERY_TASK, [message]).message.content.split()), {"see", "[3x2]"})
    body = {"model": EVERY_TASK, "prompt": "see", "images": [data_uri(PICTURE)], "stream": False}
    answer = client._request(ollama.GenerateResponse, "POST", "/api/generate", json=body)
    equal(set(answer.response.split()), {"see", "[3x2]"})


@check
def the_real_model_looks_at_a_picture():
    assert client.generate(TINY_VLM, "What is in the picture?", images=[png(64, 64, (250, 10, 10))]).response


run()
