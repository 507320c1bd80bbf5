"""`tritonclient[http]`: tensors as bytes and in JSON, states and facts of models, and errors."""

import numpy as np
from checks import (
    EVERY_TASK, NEVER_RETURNS, SLASHED, TOO_LARGE, TRAPS, URL, check, close, equal, histogram, raises, run,
)
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

client = InferenceServerClient(URL.removeprefix("http://"), network_timeout=60)


def tensor(name, values, datatype, binary=True):
    values = np.asarray(values, dtype=object if datatype == "BYTES" else None)
    put = InferInput(name, list(values.shape), datatype)
    put.set_data_from_numpy(values, binary_data=binary)
    return put


def texts(values, binary=True):
    return tensor("texts", values, "BYTES", binary)


def answer(answered, name):
    found = answered.as_numpy(name)
    assert found is not None, answered.get_response()
    return found


def has_bytes(answered):
    """Tells whether the outputs came as bytes."""
    outputs = answered.get_response()["outputs"]
    return ["binary_data_size" in output.get("parameters", {}) for output in outputs]


@check
def states_are_a_status():  # V05
    assert client.is_server_live() and client.is_server_ready()
    for name in (EVERY_TASK, SLASHED):
        assert client.is_model_ready(name) and client.is_model_ready(name, "1")
    assert not client.is_model_ready("gpt-5") and not client.is_model_ready(EVERY_TASK, "999")


@check
def the_server_and_models_describe_themselves():  # V05
    equal(set(client.get_server_metadata()) >= {"name", "version", "extensions"}, True)
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    for version in ("", "1"):
        facts = client.get_model_metadata(EVERY_TASK, version)
        tensors = {tensor["name"]: tensor for tensor in facts["inputs"] + facts["outputs"]}
        equal((tensors["texts"]["datatype"], tensors["embeddings"]["datatype"]), ("BYTES", "FP32"))
    client.get_inference_statistics(EVERY_TASK)


@check
def texts_come_as_bytes_and_vectors_go_as_bytes():  # V01, V02, V04
    given = ["some text", "Zwei Hunde – 犬", ""]
    answered = client.infer(EVERY_TASK, [texts(given)])
    assert all(has_bytes(answered)), answered.get_response()
    vectors = answer(answered, "embeddings")
    equal((vectors.dtype, vectors.shape), (np.float32, (3, 8)))
    for text, vector in zip(given, vectors):
        close(vector.tolist(), histogram(text))


@check
def each_output_comes_in_the_form_that_it_is_asked_for():  # V02
    for is_binary_in in (True, False):
        for is_binary_out in (True, False):
            asked = [InferRequestedOutput("embeddings", binary_data=is_binary_out)]
            answered = client.infer(EVERY_TASK, [texts(["x"], is_binary_in)], outputs=asked)
            equal(has_bytes(answered), [is_binary_out])
            close(answer(answered, "embeddings")[0].tolist(), histogram("x"))
    # Without a list of outputs, texts that came in JSON are answered in bytes all the same.
    equal(set(has_bytes(client.infer(EVERY_TASK, [texts(["x"], False)]))), {True})


@check
def pictures_come_as_pixels():
    pixels = np.zeros((1, 2, 3, 3), dtype=np.uint8)
    pixels[..., 0] = 255
    asked = [InferRequestedOutput("labels"), InferRequestedOutput("scores")]
    answered = client.infer(EVERY_TASK, [tensor("pixels", pixels, "UINT8")], outputs=asked)
    equal(answer(answered, "labels")[0], b"red")
    close([answer(answered, "scores")[0].item()], [1.0])
    embedded = client.infer(
        EVERY_TASK, [tensor("pixels", pixels, "UINT8")], parameters={"task": "image-embedding"}
    )
    close(answer(embedded, "embeddings")[0].tolist(), [1.0, 0.0, 0.0])


@check
def a_prompt_is_continued():
    prompt = tensor("prompt", ["one two three"], "BYTES")
    answered = client.infer(EVERY_TASK, [prompt], parameters={"max_tokens": 2})
    equal(answer(answered, "text")[0].decode().strip(), "one two")
    equal(answer(answered, "finish_reason")[0], b"length")


@check
def the_id_of_a_request_comes_back():
    equal(client.infer(EVERY_TASK, [texts(["x"])], request_id="mine").get_response()["id"], "mine")


@check
def a_name_with_slashes_and_versions_are_found():  # T11, V05
    for name, version in ((SLASHED, ""), (SLASHED, "1"), (EVERY_TASK, "1")):
        close(answer(client.infer(name, [texts(["x"])], model_version=version), "embeddings")[0].tolist(), histogram("x"))


@check
def errors_are_texts():  # V06
    for function in (
        lambda: client.infer("gpt-5", [texts(["x"])]),
        lambda: client.get_model_metadata("gpt-5"),
        lambda: client.load_model("gpt-5"),
        lambda: client.infer(TRAPS, [texts(["x"])]),
        lambda: client.infer(NEVER_RETURNS, [texts(["x"])]),
    ):
        error = raises(InferenceServerException, function)
        assert error.message() and error.status(), repr(error)
        assert "{" not in error.message(), error.message()
    assert "not found" in raises(InferenceServerException, client.infer, "gpt-5", [texts(["x"])]).message()


@check
def a_refusal_in_the_middle_of_an_upload_is_seen():  # T05
    error = raises(InferenceServerException, client.infer, EVERY_TASK, [texts(["x" * TOO_LARGE])])
    equal(error.status(), "413")


@check
def half_floats_are_refused_by_name():  # V03
    half = np.zeros((1, 2, 3, 3), dtype=np.float16)
    error = raises(InferenceServerException, client.infer, EVERY_TASK, [tensor("pixels", half, "FP16")])
    equal(error.status(), "400")


@check
def compressed_bodies_are_read():
    for method in ("gzip", "deflate"):
        answered = client.infer(EVERY_TASK, [texts(["x"])], request_compression_algorithm=method)
        close(answer(answered, "embeddings")[0].tolist(), histogram("x"))


run()
