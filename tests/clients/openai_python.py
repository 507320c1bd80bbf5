"""The `openai` package for Python: embeddings, models, errors and repeats."""

import openai
import requests
from checks import (
    EVERY_TASK, NEVER_RETURNS, NOT_NUMBERS, SLASHED, TOO_LARGE, TRAPS, URL, check, close, equal, histogram, raises, run,
)
from openai import DefaultHttpxClient, OpenAI

sent = []
client = OpenAI(
    base_url=f"{URL}/v1",
    api_key="unused",
    timeout=60,
    http_client=DefaultHttpxClient(event_hooks={"request": [sent.append]}),
)


def repeats(function, *arguments, **named):
    """Returns the error of a call, and how often the client sent it."""
    before = len(sent)
    error = raises(openai.APIStatusError, function, *arguments, **named)
    return error, len(sent) - before


@check
def vectors_that_are_asked_for_in_base64_are_the_right_ones():  # E01
    texts = ["The cat sat.", "Zwei Hunde – 犬", ""]
    answer = client.embeddings.create(model=EVERY_TASK, input=texts)
    assert b'"encoding_format":"base64"' in sent[-1].content.replace(b" ", b"")
    for index, text in enumerate(texts):
        equal(answer.data[index].index, index)
        close(answer.data[index].embedding, histogram(text))
    equal(answer.object, "list")
    equal(answer.data[0].object, "embedding")
    equal(answer.usage.prompt_tokens, sum(len(text.encode()) for text in texts))
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens)


@check
def a_single_text_and_the_form_of_numbers_work():  # E07
    answer = client.embeddings.create(model=EVERY_TASK, input="one", encoding_format="float")
    equal(len(answer.data), 1)
    close(answer.data[0].embedding, histogram("one"))


@check
def a_thousand_texts_keep_their_order():  # E05
    texts = [f"text {index}" for index in range(1000)]
    answer = client.embeddings.create(model=EVERY_TASK, input=texts)
    equal([item.index for item in answer.data], list(range(1000)))
    for text, item in zip(texts, answer.data):
        close(item.embedding, histogram(text))


@check
def no_texts_are_an_error_of_the_caller():  # E06
    error = raises(openai.BadRequestError, client.embeddings.create, model=EVERY_TASK, input=[])
    equal(error.param, "input")


@check
def token_ids_are_refused_with_the_way_out():  # E04
    error = raises(openai.BadRequestError, client.embeddings.create, model=EVERY_TASK, input=[[15339, 1917]])
    equal(error.param, "input")
    equal(error.type, "invalid_request_error")
    assert "check_embedding_ctx_length=False" in error.message, error.message


@check
def a_text_that_is_too_long_is_refused_unless_it_may_be_cut():
    long = {"model": EVERY_TASK, "input": ["x", "x" * 600]}
    error = raises(openai.BadRequestError, client.embeddings.create, **long)
    equal((error.param, error.code), ("input[1]", "context_length_exceeded"))
    answer = client.embeddings.create(**long, extra_body={"truncate_prompt_tokens": -1})
    equal(answer.usage.prompt_tokens, 513)


@check
def the_own_number_of_dimensions_is_served_and_others_are_refused():  # E08
    answer = client.embeddings.create(model=EVERY_TASK, input="x", dimensions=8)
    equal(len(answer.data[0].embedding), 8)
    for dimensions in (0, 4, 9):
        error = raises(openai.BadRequestError, client.embeddings.create, model=EVERY_TASK, input="x", dimensions=dimensions)
        equal(error.param, "dimensions")


@check
def vectors_that_are_not_numbers_are_an_error_and_not_repeated():  # E09, T02
    for form in ("base64", "float"):
        error, times = repeats(client.embeddings.create, model=NOT_NUMBERS, input="x", encoding_format=form)
        equal((error.status_code, error.code, times), (500, "guest.answer", 1))


@check
def failures_that_would_fail_again_are_not_repeated():  # T02
    error, times = repeats(client.embeddings.create, model=TRAPS, input="x")
    equal((error.code, times), ("guest.trap", 1))
    error, times = repeats(client.embeddings.create, model=NEVER_RETURNS, input="x")
    equal((error.code, times), ("limit.deadline", 1))


@check
def a_refusal_in_the_middle_of_an_upload_is_seen():  # T05
    error, times = repeats(client.embeddings.create, model=EVERY_TASK, input="x" * TOO_LARGE)
    equal((error.status_code, error.code, times), (413, "input.body-too-large", 1))
    chunk = b" " * 65_536
    for body in (chunk * (TOO_LARGE // len(chunk)), (chunk for _ in range(TOO_LARGE // len(chunk)))):
        answer = requests.post(f"{URL}/v1/embeddings", data=body, timeout=60)
        equal((answer.status_code, answer.json()["error"]["code"]), (413, "input.body-too-large"))


@check
def an_unknown_model_is_a_404_with_all_members_of_an_error():  # T01
    error = raises(openai.NotFoundError, client.embeddings.create, model="gpt-5", input="x")
    equal((error.code, error.type, error.param), ("model_not_found", "invalid_request_error", "model"))
    assert "not found" in error.message, error.message
    assert error.request_id, "the client shows the request's id"


@check
def an_unknown_route_is_a_404_with_all_members_of_an_error():  # T01
    error = raises(openai.NotFoundError, client.files.list)
    equal((error.code, error.type), ("route.unknown", "invalid_request_error"))
    assert error.request_id


@check
def models_are_listed_and_found_by_name():  # T12
    listed = {model.id: model for model in client.models.list()}
    assert {EVERY_TASK, SLASHED} <= set(listed), listed
    model = client.models.retrieve(EVERY_TASK)
    equal((model.id, model.object), (EVERY_TASK, "model"))
    assert isinstance(model.created, int) and isinstance(model.owned_by, str)
    raises(openai.NotFoundError, client.models.retrieve, "gpt-5")


@check
def a_name_with_a_slash_is_one_name():  # T11
    equal(client.models.retrieve(SLASHED).id, SLASHED)
    assert b"acme%2Fevery-task" in sent[-1].url.raw_path, sent[-1].url.raw_path
    answer = client.embeddings.create(model=SLASHED, input="x")
    close(answer.data[0].embedding, histogram("x"))
    raises(openai.NotFoundError, client.models.retrieve, "acme/../every-task")


@check
def an_address_that_ends_in_a_slash_and_no_key_work():  # T10
    for base in (f"{URL}/v1/", f"{URL}//v1/", f"{URL}/v1//"):
        own = OpenAI(base_url=base, api_key="unused")
        for headers in ({}, {"Authorization": openai.Omit()}):
            assert EVERY_TASK in {model.id for model in own.models.list(extra_headers=headers)}


run()
