"""The `openai` package for Python: responses, whole and streamed."""

import openai
from checks import (
    BLOCKS, EVERY_TASK, FAILS_MIDWAY, PATIENCE, SILENCE_MS, THINKS_FIRST, TINY_VLM, URL, check, data_uri, equal, png,
    raises, run,
)
from openai import OpenAI

client = OpenAI(base_url=f"{URL}/v1", api_key="unused", timeout=60, max_retries=0)


def picture(colour):
    return {"type": "input_image", "image_url": data_uri(png(64, 64, colour)), "detail": "auto"}


@check
def the_text_of_a_response_is_found():
    response = client.responses.create(model=EVERY_TASK, input="one two three", instructions="be brief")
    equal(response.output_text, "one two three")
    equal((response.status, response.error, response.store), ("completed", None, False))
    equal((response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens), (5, 3, 8))
    equal(response.usage.output_tokens_details.reasoning_tokens, 0)


@check
def an_answer_goes_into_the_next_question():
    turns = [{"role": "user", "content": "one two"}]
    first = client.responses.create(model=EVERY_TASK, input=turns)
    turns += [item.to_dict() for item in first.output] + [{"role": "user", "content": "three"}]
    second = client.responses.create(model=EVERY_TASK, input=turns)
    equal((second.output_text, second.usage.input_tokens), ("three", 5))


@check
def a_picture_is_described():
    content = [{"type": "input_text", "text": "what is in the picture?"}, picture((255, 0, 0))]
    asked = {"model": TINY_VLM, "input": [{"role": "user", "content": content}]}
    whole = client.responses.create(**asked).output_text
    assert whole, "an answer"
    with client.responses.stream(**asked) as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
    equal("".join(pieces), whole)


@check
def the_events_of_a_stream_are_of_their_own_classes():
    events = list(client.responses.create(model=EVERY_TASK, input="one two", stream=True))
    equal([type(event).__name__ for event in events], [
        "ResponseCreatedEvent", "ResponseInProgressEvent", "ResponseOutputItemAddedEvent",
        "ResponseContentPartAddedEvent", "ResponseTextDeltaEvent", "ResponseTextDeltaEvent", "ResponseTextDoneEvent",
        "ResponseContentPartDoneEvent", "ResponseOutputItemDoneEvent", "ResponseCompletedEvent",
    ])
    equal([event.sequence_number for event in events], list(range(10)))
    equal(events[-1].response.output_text, "one two")


@check
def the_helper_for_streams_finds_the_whole_response():
    with client.responses.stream(model=EVERY_TASK, input="one two three") as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    equal(snapshots, ["one ", "one two ", "one two three"])
    equal((final.output_text, final.status, final.usage.output_tokens), ("one two three", "completed", 3))


@check
def a_response_that_was_cut_short_says_so():
    asked = {"model": EVERY_TASK, "input": "one two three", "max_output_tokens": 2}
    whole = client.responses.create(**asked)
    equal((whole.status, whole.incomplete_details.reason), ("incomplete", "max_output_tokens"))
    *_, last = client.responses.create(stream=True, **asked)
    equal((last.type, last.response.output_text), ("response.incomplete", whole.output_text))
    with client.responses.stream(**asked) as stream:
        *_, last = stream
    equal((last.type, last.response.output_text), ("response.incomplete", whole.output_text))


@check
def an_error_within_a_stream_is_raised():
    for model, words in ((FAILS_MIDWAY, "the model failed"), (BLOCKS, "deadline")):
        error = raises(openai.APIError, list, client.responses.create(model=model, input="x", stream=True))
        assert words in error.message, error.message
        with client.responses.stream(model=model, input="x") as stream:
            error = raises(openai.APIError, stream.until_done)
        assert words in error.message, error.message


@check
def silence_before_the_first_token_is_no_end():  # S10
    asked = {"model": THINKS_FIRST, "input": "x", "max_output_tokens": SILENCE_MS, "timeout": PATIENCE}
    with client.responses.stream(**asked) as stream:
        final = stream.get_final_response()
    equal((final.output_text, final.status), ("late word", "completed"))


@check
def a_refusal_is_a_status_also_for_a_stream():
    for stream in (False, True):
        raises(openai.NotFoundError, client.responses.create, model="gpt-5", input="x", stream=stream)
        error = raises(openai.BadRequestError, client.responses.create, model=EVERY_TASK, input="x", stream=stream,
                       previous_response_id="resp_1")
        equal((error.param, error.code), ("previous_response_id", "input.unsupported"))
    raises(openai.NotFoundError, client.responses.retrieve, "resp_1")


run()
