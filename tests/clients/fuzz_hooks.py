"""Puts names of models that are there, and roles that there are, into most of Schemathesis' requests."""

import schemathesis

NAMES = ("every-task", "tiny-vlm", "acme/every-task", "every-task:latest")
VERSIONS = ("1", "1.0.0")
ROLES = ("user", "system", "assistant")


def one_of(known, value):
    """Returns a known word in place of seven in eight texts, and always the same one for the same text."""
    number = sum(value.encode(errors="replace"))
    return known[number % len(known)] if number % 8 else value


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        body["model"] = one_of(NAMES, body["model"])
    lists = [body.get(key) for key in ("messages", "input")] if isinstance(body, dict) else []
    for messages in lists:
        for message in messages if isinstance(messages, list) else []:
            if isinstance(message, dict) and isinstance(message.get("role"), str):
                message["role"] = one_of(ROLES, message["role"])
    return body


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters:
        for key in ("name", "id", "model"):
            if isinstance(path_parameters.get(key), str):
                path_parameters[key] = one_of(NAMES, path_parameters[key])
        if isinstance(path_parameters.get("version"), str):
            path_parameters["version"] = one_of(VERSIONS, path_parameters["version"])
    return path_parameters
