"""`langchain-openai`: what it sends by itself, with no setting of the user's but the address and the model."""

import openai
import tiktoken
import tiktoken.registry
from checks import (
    EVERY_TASK, FAILS_MIDWAY, PATIENCE, SILENCE_MS, THINKS_FIRST, URL, check, close, data_uri, equal, histogram, png,
    raises, run,
)
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

# LangChain makes token ids with OpenAI's vocabulary, which tiktoken would fetch from the network. One of the bytes alone
# takes its place: a server sees lists of ids either way.
tiktoken.registry.ENCODINGS["cl100k_base"] = tiktoken.Encoding(
    name="cl100k_base",
    pat_str=r"(?s).+",
    mergeable_ranks={bytes([byte]): byte for byte in range(256)},
    special_tokens={},
)

common = {"base_url": f"{URL}/v1", "api_key": "unused", "max_retries": 0}
chat = ChatOpenAI(model=EVERY_TASK, **common)


@check
def token_ids_are_refused_with_the_setting_that_helps():  # E04
    embeddings = OpenAIEmbeddings(model=EVERY_TASK, **common)
    error = raises(openai.BadRequestError, embeddings.embed_documents, ["some text"])
    equal(error.param, "input")
    assert "check_embedding_ctx_length=False" in error.message, error.message


@check
def texts_are_embedded_in_order():  # E05
    embeddings = OpenAIEmbeddings(model=EVERY_TASK, check_embedding_ctx_length=False, **common)
    texts = [f"text {index}" for index in range(1500)]
    vectors = embeddings.embed_documents(texts)
    equal(len(vectors), len(texts))
    for text, vector in zip(texts, vectors):
        close(vector, histogram(text))


@check
def a_history_is_continued():
    answer = chat.invoke([SystemMessage("be brief"), HumanMessage("a"), AIMessage("b"), HumanMessage("one two")])
    equal((answer.content, answer.response_metadata["finish_reason"]), ("one two", "stop"))
    equal(answer.usage_metadata["output_tokens"], 2)


@check
def the_token_limit_counts():  # Q03
    answer = ChatOpenAI(model=EVERY_TASK, max_tokens=2, **common).invoke("one two three")
    equal((answer.content.strip(), answer.response_metadata["finish_reason"]), ("one two", "length"))


@check
def a_streams_parts_add_up():  # S02, S04
    parts = list(chat.stream("one two three", stream_usage=True))
    total = parts[0]
    for part in parts[1:]:
        total += part
    equal(total.content, "one two three")
    usage = total.usage_metadata
    equal((usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]), (3, 3, 6))


@check
def a_picture_is_seen():  # Q06
    picture = {"type": "image_url", "image_url": {"url": data_uri(png(3, 2, (9, 9, 9)))}}
    answer = chat.invoke([HumanMessage([{"type": "text", "text": "see"}, picture])])
    equal(answer.content, "see [3x2]")


@check
def a_failure_in_the_middle_of_a_stream_is_raised():  # S07
    failing = ChatOpenAI(model=FAILS_MIDWAY, **common)
    error = raises(openai.APIError, lambda: list(failing.stream("x")))
    equal(error.code, "guest.error")


@check
def silence_before_the_first_token_is_no_end():  # S10
    patient = ChatOpenAI(model=THINKS_FIRST, max_tokens=SILENCE_MS, timeout=PATIENCE, **common)
    equal("".join(part.content for part in patient.stream("x")), "late word")


run()
