"""The `openai` package for Python: conversations and completions, whole and streamed."""

import openai
from checks import (
    BLOCKS, EVERY_TASK, FAILS_MIDWAY, PATIENCE, SILENCE_MS, THINKS_FIRST, TINY_VLM, URL, check, data_uri, equal, png,
    raises, run,
)
from openai import DefaultHttpxClient, OpenAI

sent = []
client = OpenAI(
    base_url=f"{URL}/v1",
    api_key="unused",
    timeout=60,
    http_client=DefaultHttpxClient(event_hooks={"request": [sent.append]}),
)
PICTURE = data_uri(png(3, 2, (250, 20, 20)))
WORDS = "a woman 👩‍👩‍👧 said 你好 and naïve words"


def user(content):
    return [{"role": "user", "content": content}]


def chat(content="one two three", model=EVERY_TASK, **more):
    messages = content if isinstance(content, list) and "role" in content[0] else user(content)
    return client.chat.completions.create(model=model, messages=messages, **more)


def text(answer):
    return answer.choices[0].message.content


def joined(chunks, index=0):
    choices = [choice for chunk in chunks for choice in chunk.choices]
    return "".join(choice.delta.content or "" for choice in choices if choice.index == index)


def refused(param, function, *arguments, **named):
    error = raises(openai.BadRequestError, function, *arguments, **named)
    equal((error.param, error.type), (param, "invalid_request_error"))
    return error


@check
def an_answer_is_whole():  # S03, T12
    answer = chat()
    equal((text(answer), answer.choices[0].finish_reason), ("one two three", "stop"))
    equal((answer.object, answer.model, answer.choices[0].message.role), ("chat.completion", EVERY_TASK, "assistant"))
    usage = answer.usage
    equal((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (3, 3, 6))


@check
def both_names_of_the_token_limit_count():  # Q03
    for name in ("max_tokens", "max_completion_tokens"):
        answer = chat(**{name: 2})
        equal((text(answer).strip(), answer.choices[0].finish_reason), ("one two", "length"))
        assert answer.usage.completion_tokens <= 2


@check
def null_means_that_a_field_is_not_there():  # Q01
    fields = ["temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop", "n", "stream", "stream_options"]
    fields += ["tools", "tool_choice", "logit_bias", "user", "logprobs", "top_logprobs", "response_format"]
    fields += ["presence_penalty", "frequency_penalty", "store", "metadata", "service_tier", "functions"]
    equal(text(chat(extra_body=dict.fromkeys(fields))), text(chat()))


@check
def stop_strings_in_all_their_forms_end_an_answer():  # Q02, S12
    for stop in ("wo thr", ["wo thr"], ["never", "wo thr"]):
        equal(text(chat(stop=stop)), "one t")
        equal(joined(chat(stop=stop, stream=True)), "one t")
        answer = client.completions.create(model=EVERY_TASK, prompt="one two three", stop=stop)
        equal((answer.choices[0].text, answer.choices[0].finish_reason), ("one t", "stop"))
    for stop in (None, [], [""]):
        equal(text(chat(extra_body={"stop": stop})), "one two three")
    raises(openai.BadRequestError, chat, extra_body={"stop": [7]})
    raises(openai.BadRequestError, chat, extra_body={"stop": 7})


@check
def unknown_fields_are_ignored_also_in_messages():  # Q04
    message = {"role": "user", "content": "one two", "name": "ann", "id": "m1", "metadata": {"a": 1}}
    answer = chat([message], store=True, metadata={"a": "b"}, service_tier="auto", user="ann", extra_body={"new_field": 1})
    equal(text(answer), "one two")


@check
def parts_are_read_in_every_role():  # Q05
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    messages = [{"role": role, "content": parts} for role in ("system", "developer", "user", "assistant")]
    messages += [{"role": "assistant", "content": None}, {"role": "assistant"}, *user(parts)]
    equal(text(chat(messages)), "one two")


@check
def pictures_come_as_data_addresses_and_nothing_is_fetched():  # Q06
    def ask(image):
        return chat([{"type": "text", "text": "see"}, {"type": "image_url", "image_url": image}])

    equal(text(ask({"url": PICTURE, "detail": "high"})), "see [3x2]")
    equal(text(ask(PICTURE)), "see [3x2]")
    bare = raises(openai.BadRequestError, ask, {"url": PICTURE.split(",")[1]})
    assert "data:" in bare.message, bare.message
    for address in ("http://127.0.0.1:1/a.png", "https://example.com/a.png", "file:///etc/hostname"):
        error = raises(openai.BadRequestError, ask, {"url": address})
        assert "data:" in error.message, error.message


@check
def the_real_model_looks_at_a_picture():
    question = [
        {"type": "image_url", "image_url": {"url": data_uri(png(64, 64, (250, 10, 10)))}},
        {"type": "text", "text": "What is in the picture?"},
    ]
    whole = chat(question, model=TINY_VLM)
    assert text(whole), whole
    equal(joined(chat(question, model=TINY_VLM, stream=True)), text(whole))


@check
def each_prompt_has_its_choices_together():  # Q07
    answer = client.completions.create(model=EVERY_TASK, prompt=["a", "b"], n=2)
    equal([(choice.index, choice.text) for choice in answer.choices], [(0, "a"), (1, "a"), (2, "b"), (3, "b")])
    for prompt in ([1, 2], [[1, 2], [3]]):
        error = raises(openai.BadRequestError, client.completions.create, model=EVERY_TASK, prompt=prompt)
        assert error.param.startswith("prompt"), error.param


@check
def probabilities_are_refused_and_not_forgotten():  # Q08, Q09
    for field, value in (("echo", True), ("logprobs", 0), ("logprobs", 5)):
        refused(field, client.completions.create, model=EVERY_TASK, prompt="a", **{field: value})
    refused("logprobs", chat, logprobs=True)
    refused("logprobs", chat, logprobs=True, top_logprobs=0)
    refused("top_logprobs", chat, top_logprobs=0)


@check
def a_seed_repeats_an_answer_streamed_or_not():  # Q10
    many = " ".join(f"w{index}" for index in range(12))
    for seed in (7, -1, 2**63 - 1, -(2**63)):
        first = text(chat(many, temperature=1, seed=seed))
        equal(text(chat(many, temperature=1, seed=seed)), first)
        equal(joined(chat(many, temperature=1, seed=seed, stream=True)), first)
    assert text(chat(many, temperature=1, seed=7)) != text(chat(many, temperature=1, seed=-1))
    for seed in (2**63, -(2**63) - 1):
        refused("seed", chat, seed=seed)


@check
def a_prompt_that_is_too_long_is_recognised():  # Q13, S08
    for stream in (False, True):
        error = raises(openai.BadRequestError, chat, "word " * 20_000, model=TINY_VLM, stream=stream)
        equal((error.code, error.type), ("context_length_exceeded", "invalid_request_error"))
        assert "maximum context length" in error.message, error.message


@check
def a_stream_has_a_role_texts_and_an_end_in_this_order():  # S01, S03, S04, S05, S06
    chunks = list(chat(WORDS, stream=True))
    first, last = chunks[0].choices[0], chunks[-1].choices[0]
    equal((first.delta.role, first.delta.content, first.finish_reason), ("assistant", "", None))
    equal((last.delta.role, last.delta.content, last.finish_reason), (None, None, "stop"))
    for chunk in chunks[1:-1]:
        equal((chunk.choices[0].delta.role, chunk.choices[0].finish_reason), (None, None))
        assert chunk.choices[0].delta.content is not None
    equal(len({(chunk.id, chunk.model, chunk.created, chunk.object) for chunk in chunks}), 1)
    equal((chunks[0].model, chunks[0].object, type(chunks[0].created)), (EVERY_TASK, "chat.completion.chunk", int))
    for chunk in chunks:
        equal((len(chunk.choices), chunk.usage), (1, None))


@check
def the_usage_comes_once_and_last_where_it_is_asked_for():  # S01, S02
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    equal([chunk.usage for chunk in chunks[:-1]], [None] * (len(chunks) - 1))
    equal((chunks[-1].choices, chunks[-1].usage.total_tokens), ([], 6))
    equal(chunks[-2].choices[0].finish_reason, "stop")


@check
def a_stream_is_the_whole_answer():  # S11
    equal(text(chat(WORDS)), WORDS)
    equal(joined(chat(WORDS, stream=True)), WORDS)
    assert "\ufffd" not in joined(chat(WORDS, stream=True))


@check
def choices_of_a_stream_are_apart():  # S05
    chunks = list(chat(WORDS, n=3, temperature=1, seed=3, stream=True))
    equal(len({(chunk.id, chunk.created) for chunk in chunks}), 1)
    whole = chat(WORDS, n=3, temperature=1, seed=3)
    for index in range(3):
        equal(joined(chunks, index), whole.choices[index].message.content)
        ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.index == index]
        equal((ends[:-1], ends[-1]), ([None] * (len(ends) - 1), "stop"))


@check
def the_packages_own_accumulator_takes_a_stream():  # S04
    with client.chat.completions.stream(model=EVERY_TASK, messages=user(WORDS)) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    equal((final.choices[0].message.role, text(final)), ("assistant", WORDS))


@check
def a_failure_in_the_middle_of_a_stream_is_raised():  # S07
    texts = []

    def read():
        for chunk in chat(model=FAILS_MIDWAY, stream=True):
            texts.append(chunk.choices[0].delta.content or "")
            equal(chunk.choices[0].finish_reason, None)

    error = raises(openai.APIError, read)
    equal("".join(texts), "word word ")
    equal(error.code, "guest.error")
    assert error.message and error.message != "An error occurred during streaming", error.message


@check
def what_is_known_before_the_first_token_is_a_status():  # S08
    raises(openai.NotFoundError, chat, model="gpt-5", stream=True)
    refused("temperature", chat, temperature=-1, stream=True)
    before = len(sent)
    error = raises(openai.APIStatusError, chat, model=FAILS_MIDWAY, max_tokens=5)
    equal((error.code, len(sent) - before), ("guest.error", 1))  # T02


@check
def silence_is_filled_with_parts_that_change_nothing():  # S10
    chunks = []

    def read():
        for chunk in chat(model=BLOCKS, stream=True):
            chunks.append(chunk)

    error = raises(openai.APIError, read)
    equal(error.code, "limit.deadline")
    equal(joined(chunks), "once ")
    empty = [chunk for chunk in chunks[2:] if chunk.choices[0].delta.content == ""]
    assert len(empty) >= 2, chunks


@check
def silence_before_the_first_token_is_no_end():  # S10
    before = len(sent)
    patient = {"max_tokens": SILENCE_MS, "timeout": PATIENCE, "stream": True}
    chunks = list(chat(model=THINKS_FIRST, **patient))
    equal((joined(chunks), chunks[-1].choices[0].finish_reason), ("late word", "stop"))
    chunks = list(client.completions.create(model=THINKS_FIRST, prompt="x", **patient))
    equal("".join(chunk.choices[0].text for chunk in chunks), "late word")
    equal(len(sent) - before, 2)


@check
def completions_are_streamed():  # S12
    chunks = list(client.completions.create(model=EVERY_TASK, prompt=["one two", "three"], stream=True))
    for index, expected in enumerate(["one two", "three"]):
        choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        equal("".join(choice.text for choice in choices), expected)
        equal([choice.finish_reason for choice in choices if choice.finish_reason], ["stop"])


@check
def tools_are_refused_and_not_forgotten():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    refused("tools", chat, tools=[tool])
    equal(text(chat(tools=[], extra_body={"tool_choice": "none"})), "one two three")
    refused("response_format", chat, response_format={"type": "json_object"})


run()
