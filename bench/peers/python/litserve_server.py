"""LitServe with ONNX Runtime, behind its own route of OpenAI's for vectors.

    litserve_server.py PORT WORKERS

Each worker has a session of one thread. Requests are read and answered in as many further processes, as LitServe does
it unless it is told otherwise.
"""

import sys

import litserve

from encoder import Encoder


class Embeddings(litserve.LitAPI):
    def setup(self, device):
        self.encoder = Encoder()

    def decode_request(self, request):
        return request.ensure_list()

    def predict(self, texts):
        return [self.encoder(text) for text in texts]

    def encode_response(self, output):
        tokens = sum(count for _, count in output)
        return {
            "embeddings": [vector.tolist() for vector, _ in output],
            "prompt_tokens": tokens,
            "total_tokens": tokens,
        }


if __name__ == "__main__":
    port, workers = map(int, sys.argv[1:])
    api = Embeddings(spec=litserve.OpenAIEmbeddingSpec())
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=workers)
    server.run(host="127.0.0.1", port=port, log_level="warning", generate_client_file=False)
