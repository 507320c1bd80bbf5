"""The server that a user would write: FastAPI, tokenizers and ONNX Runtime, with OpenAI's route for vectors.

Each worker of uvicorn has a session of one thread. The body is written by orjson, which is faster than FastAPI's own
way. With uvloop, since uvicorn's workers hold each answer for 40 ms without it: see
findings/uvicorn-workers-hold-answers-for-40-ms.sh.
"""

import os

import numpy
import onnxruntime
import orjson
from fastapi import FastAPI, Response
from pydantic import BaseModel
from tokenizers import Tokenizer

options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BENCH_ONNX"], options, providers=["CPUExecutionProvider"])
tokenizer = Tokenizer.from_file(os.environ["BENCH_TOKENIZER"])
tokenizer.enable_truncation(256)
tokenizer.no_padding()

app = FastAPI()


class Request(BaseModel):
    model: str
    input: str | list[str]


@app.get("/readyz")
async def ready():
    return {}


@app.post("/v1/embeddings")
async def embeddings(request: Request):
    texts = [request.input] if isinstance(request.input, str) else request.input
    data, tokens = [], 0
    for index, text in enumerate(texts):
        ids = tokenizer.encode(text).ids
        tokens += len(ids)
        vector = session.run(["vectors"], {"ids": numpy.array([ids], numpy.int64)})[0][0]
        data.append({"object": "embedding", "index": index, "embedding": vector})
    body = {
        "object": "list",
        "data": data,
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
