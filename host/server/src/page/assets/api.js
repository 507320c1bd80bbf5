// The server's own API, under `ampoule/v1`.

import { eventsOf } from "./events.js";

const ROOT = "ampoule/v1/models";

let heard = () => {};

// The visitor's key. Nothing outside of this file reads it.
let key;
let refused = () => {};

// Sends this key with each request from now on, or none.
export function useKey(given) {
  key = given;
}

// Tells whether requests are sent with a key.
export const hasKey = () => key !== undefined;

// Calls `listener` with each error that a key, or another key, would put right.
export function onRefused(listener) {
  refused = listener;
}

// Calls `listener` with the model's name and the digest of the manifest that answered, for each answer.
export function onAnswer(listener) {
  heard = listener;
}

// An error that the server said, or that the way to it made.
export class ApiError extends Error {
  constructor(code, message, isRetryable, request) {
    super(message);
    this.code = code;
    this.isRetryable = isRetryable;
    this.request = request;
  }
}

export async function models(signal) {
  const answer = await send(ROOT, { signal });
  return (await answer.json()).models;
}

// Returns the address of a task of a model. A slash in a name is part of the name.
export const addressOf = (model, task) => `${ROOT}/${encodeURIComponent(model)}/${task}`;

// Asks a task and returns the whole answer. `images` are files.
export async function ask(model, task, request, images, signal) {
  const answer = await post(model, task, request, images, signal);
  const whole = await answer.json();
  heard(model, whole.model.manifest_sha256);
  return whole;
}

// Asks a task and returns the pieces of its answer, as they come. The last one says why the answer ended.
export async function* stream(model, task, request, images, signal) {
  const answer = await post(model, task, { ...request, stream: true }, images, signal);
  const id = answer.headers.get("x-request-id");
  try {
    for await (const data of eventsOf(answer.body)) {
      const piece = read(data);
      if (piece.error) throw said(piece, id);
      yield piece;
      if (piece.finish_reason) {
        heard(model, piece.model.manifest_sha256);
        return;
      }
    }
  } catch (error) {
    if (error instanceof ApiError || error.name === "AbortError") throw error;
  }
  throw new ApiError("page.stream", "The connection ended before the answer was whole.", true, id);
}

function post(model, task, request, images, signal) {
  const json = JSON.stringify(request);
  if (images.length === 0) {
    const headers = { "content-type": "application/json" };
    return send(addressOf(model, task), { method: "POST", headers, body: json, signal });
  }
  const form = new FormData();
  form.append("request", json);
  for (const image of images) form.append("image", image);
  return send(addressOf(model, task), { method: "POST", body: form, signal });
}

async function send(address, options) {
  const sent = key;
  const headers = { ...options.headers, ...(sent === undefined ? {} : { authorization: `Bearer ${sent}` }) };
  let answer;
  try {
    answer = await fetch(address, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("page.network", "The server did not answer. Is it still running?", true);
  }
  if (answer.ok) return answer;
  const request = answer.headers.get("x-request-id");
  const error = said(read(await answer.text(), answer.status), request);
  // A refusal of a key that was replaced meanwhile says nothing of the new one.
  error.isRefused = answer.status === 401;
  if (error.isRefused && sent === key) refused(error);
  throw error;
}

function read(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    const code = status ? `http.${status}` : "page.stream";
    throw new ApiError(code, "The server’s answer could not be read.", false);
  }
}

function said(body, request) {
  const { code, message, is_retryable: isRetryable } = body.error ?? {};
  return new ApiError(code ?? "page.unknown", message ?? "The server gave no reason.", isRetryable === true, request);
}
