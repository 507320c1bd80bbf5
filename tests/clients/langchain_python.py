"""`langchain-openai`: what it sends by itself, with no setting of the user's but the address and the model."""

import tiktoken
import tiktoken.registry
from checks import EVERY_TASK, URL, check, close, equal, histogram, raises, run
from langchain_openai import OpenAIEmbeddings
from openai import BadRequestError

# LangChain makes token ids with OpenAI's vocabulary, which tiktoken would fetch from the network. One of the bytes alone
# takes its place: a server sees lists of ids either way.
tiktoken.registry.ENCODINGS["cl100k_base"] = tiktoken.Encoding(
    name="cl100k_base",
    pat_str=r"(?s).+",
    mergeable_ranks={bytes([byte]): byte for byte in range(256)},
    special_tokens={},
)

common = {"base_url": f"{URL}/v1", "api_key": "unused", "max_retries": 0}


@check
def token_ids_are_refused_with_the_setting_that_helps():  # E04
    embeddings = OpenAIEmbeddings(model=EVERY_TASK, **common)
    error = raises(BadRequestError, embeddings.embed_documents, ["some text"])
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


run()
