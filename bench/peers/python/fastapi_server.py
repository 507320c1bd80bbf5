"""The server that a user would write: FastAPI, tokenizers and ONNX Runtime, with OpenAI's route for vectors.

Each worker of uvicorn has a session of one thread. The body is written by orjson, which is faster than FastAPI's own
way. With uvloop, since uvicorn's workers hold each answer for 40 ms without it: see
findings/uvicorn-workers-hold-answers-for-40-ms.sh.
"""

import orjson
from fastapi import FastAPI, Response
from pydantic import BaseModel

from encoder import Encoder

encoder = Encoder()
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
        vector, count = encoder(text)
        tokens += count
        data.append({"object": "embedding", "index": index, "embedding": vector})
    body = {
        "object": "list",
        "data": data,
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
