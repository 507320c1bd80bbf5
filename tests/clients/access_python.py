"""The packages `openai`, `ollama` and `tritonclient` with a key or a token, without one, and with a wrong one."""

import sys

import httpx
import numpy as np
import ollama
import openai
from checks import EVERY_TASK, URL, check, equal, raises, run
from langchain_openai import OpenAIEmbeddings
from tritonclient.http import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

# A key of the role `infer`, one of the role `metrics`, one of another model, one with a request each three seconds, one
# whose only request of this hour was made, and a token of the role `infer`.
KEY, METRICS, ELSEWHERE, QUICK, SLOW, TOKEN = sys.argv[2:8]
WRONG = KEY[:-1] + ("0" if KEY[-1] != "0" else "1")


def of_openai(key):
    requests = []

    def note(request):
        requests.append(request.url.path)
        if key is None:
            # The client does not begin without a key.
            del request.headers["Authorization"]

    transport = httpx.Client(event_hooks={"request": [note]})
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key=key or "none", http_client=transport)
    return client, requests


def of_ollama(key):
    headers = {"Authorization": f"Bearer {key}"} if key else None
    return ollama.Client(host=URL, timeout=60, headers=headers)


def of_triton(key):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    client = InferenceServerClient(URL.removeprefix("http://"), network_timeout=60)
    return client, headers


def tensor():
    texts = InferInput("texts", [1], "BYTES")
    texts.set_data_from_numpy(np.asarray(["one"], dtype=object))
    return [texts]


@check
def openai_is_served_with_a_token_as_its_key():
    client, _ = of_openai(TOKEN)
    equal(len(client.embeddings.create(model=EVERY_TASK, input="one").data), 1)
    client, requests = of_openai(TOKEN[:-6] + "AAAAAA")
    raises(openai.AuthenticationError, client.models.list)
    equal(len(requests), 1)


@check
def openai_is_served_with_a_key():
    client, _ = of_openai(KEY)
    equal(len(client.embeddings.create(model=EVERY_TASK, input="one").data), 1)
    parts = client.chat.completions.create(
        model=EVERY_TASK, messages=[{"role": "user", "content": "one two"}], stream=True
    )
    equal("".join(part.choices[0].delta.content or "" for part in parts if part.choices), "one two")
    assert EVERY_TASK in [model.id for model in client.models.list()]


@check
def openai_raises_its_error_of_authentication_at_once():
    for key in (WRONG, "sk-of-another-service", "eyJhbGciOiJub25lIn0.e30."):
        client, requests = of_openai(key)
        error = raises(openai.AuthenticationError, client.embeddings.create, model=EVERY_TASK, input="one")
        equal((error.status_code, error.code, error.type), (401, "invalid_api_key", "invalid_request_error"))
        assert key not in str(error), error
        equal(requests, ["/v1/embeddings"])
    client, requests = of_openai(None)
    error = raises(openai.AuthenticationError, client.models.list)
    assert "is needed" in error.message, error
    equal(requests, ["/v1/models"])


@check
def openai_raises_its_error_of_permission_and_knows_no_other_model():
    client, requests = of_openai(METRICS)
    error = raises(openai.PermissionDeniedError, client.embeddings.create, model=EVERY_TASK, input="one")
    equal((error.status_code, error.code), (403, "auth.forbidden"))
    equal(len(requests), 1)
    client, _ = of_openai(ELSEWHERE)
    error = raises(openai.NotFoundError, client.embeddings.create, model=EVERY_TASK, input="one")
    equal(error.code, "model_not_found")
    assert EVERY_TASK not in [model.id for model in client.models.list()]


@check
def openai_waits_as_long_as_it_is_told_and_asks_once_more():
    client, requests = of_openai(QUICK)
    client.models.list()
    requests.clear()
    # Its own pauses, of half a second and a second, would be too short for its two tries.
    client.models.list()
    equal(requests, ["/v1/models"] * 2)


@check
def openai_raises_its_error_of_rates_at_once_where_the_wait_is_long():
    client, requests = of_openai(SLOW)
    error = raises(openai.RateLimitError, client.models.list)
    equal((error.status_code, error.code), (429, "rate_limit_exceeded"))
    assert float(error.response.headers["x-ratelimit-limit-requests"]) == 1, error.response.headers
    equal(requests, ["/v1/models"])


@check
def langchain_passes_its_key_on():
    def embed(key):
        return OpenAIEmbeddings(
            base_url=f"{URL}/v1", api_key=key, model=EVERY_TASK, check_embedding_ctx_length=False
        ).embed_query("one")

    assert embed(KEY)
    raises(openai.AuthenticationError, embed, WRONG)


@check
def ollama_is_served_with_a_key_and_raises_its_error_without():
    client = of_ollama(KEY)
    equal(len(client.embed(EVERY_TASK, "one").embeddings), 1)
    equal(client.generate(EVERY_TASK, "one").response, "one")
    for key in (None, WRONG):
        client = of_ollama(key)
        for function in (lambda: client.embed(EVERY_TASK, "one"), client.list):
            error = raises(ollama.ResponseError, function)
            equal(error.status_code, 401)
            assert "API key" in error.error, error.error
    error = raises(ollama.ResponseError, of_ollama(METRICS).list)
    equal(error.status_code, 403)


@check
def triton_is_served_with_a_key_and_raises_its_error_without():
    client, headers = of_triton(KEY)
    answered = client.infer(EVERY_TASK, tensor(), headers=headers)
    equal(answered.as_numpy("embeddings").shape[0], 1)
    assert client.is_model_ready(EVERY_TASK, headers=headers)
    assert client.is_server_live() and client.is_server_ready()
    for key in (None, WRONG):
        client, headers = of_triton(key)
        error = raises(InferenceServerException, client.infer, EVERY_TASK, tensor(), headers=headers)
        assert "API key" in error.message(), error
        equal(error.status(), "401")
        assert not client.is_model_ready(EVERY_TASK, headers=headers)
    client, headers = of_triton(METRICS)
    equal(raises(InferenceServerException, client.infer, EVERY_TASK, tensor(), headers=headers).status(), "403")


run()
