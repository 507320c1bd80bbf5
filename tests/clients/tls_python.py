"""The package `openai` by TLS."""

import ssl
import sys

import httpx
import openai
from checks import EVERY_TASK, URL, check, equal, raises, run

# The file of the certificate of the server's issuer.
ISSUER = sys.argv[2]


def client(**transport):
    return openai.OpenAI(
        base_url=f"{URL}/v1", api_key="none", max_retries=0, http_client=httpx.Client(**transport)
    )


def trusting():
    return client(verify=ssl.create_default_context(cafile=ISSUER))


@check
def openai_embeds_by_tls():
    equal(len(trusting().embeddings.create(model=EVERY_TASK, input=["one", "two"]).data), 2)


@check
def openai_reads_a_stream_by_tls():
    messages = [{"role": "user", "content": "one"}]
    stream = trusting().chat.completions.create(model=EVERY_TASK, messages=messages, stream=True)
    pieces = [chunk.choices[0].finish_reason for chunk in stream if chunk.choices]
    assert pieces[-1] is not None, pieces


@check
def openai_knows_errors_by_tls():
    error = raises(openai.NotFoundError, trusting().models.retrieve, "never-made")
    equal(error.code, "model_not_found")


@check
def openai_refuses_a_server_of_an_unknown_issuer():
    raises(openai.APIConnectionError, client().models.list)


run()
