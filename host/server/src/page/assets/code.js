// Requests as programs that can be copied. A text of the visitor is quoted, so that a shell and Python read it as text.
// A key is no part of them: they read it from the variable AMPOULE_KEY.

import { addressOf, hasKey } from "./api.js";
import { nameOf } from "./pictures.js";

// Returns the programs of a question.
export function generationPrograms(model, request, images) {
  const { prompt, max_output_tokens: tokens, sampling } = request;
  return [
    ["curl", curl(addressOf(model, "text-generation"), { ...request, stream: true }, images, "--no-buffer ")],
    ["Python", python(images.length > 0, [
      "stream = client.chat.completions.create(",
      `    model=${string(model)},`,
      "    messages=[{\"role\": \"user\", \"content\": [",
      ...images.map((image) => `        {"type": "image_url", "image_url": {"url": ${picture(image)}}},`),
      `        {"type": "text", "text": ${string(prompt)}},`,
      "    ]}],",
      `    max_completion_tokens=${tokens},`,
      `    temperature=${sampling.temperature},`,
      ...(sampling.seed === undefined ? [] : [`    seed=${sampling.seed},`]),
      "    stream=True,",
      ")",
      "for chunk in stream:",
      "    print(chunk.choices[0].delta.content or \"\", end=\"\", flush=True)",
      "print()",
    ])],
  ];
}

// Returns the programs of texts' vectors.
export const textPrograms = (model, texts) => [
  ["curl", curl(addressOf(model, "text-embedding"), { texts }, [])],
  ["Python", python(false, vectors(model, texts.map(string)))],
];

// Returns the programs of pictures' vectors.
export const picturePrograms = (model, images) => [
  ["curl", curl(addressOf(model, "image-embedding"), {}, images)],
  ["Python", python(true, vectors(model, images.map(picture)))],
];

// Returns the programs of labels. OpenAI's client has no call for them, and sends this request as it is.
export function classificationPrograms(model, request, image) {
  const address = addressOf(model, "image-classification");
  return [
    ["curl", curl(address, request, [image])],
    ["Python", python(true, [
      `answer = client.post(${string(here(address))}, cast_to=object, body={`,
      `    "image": ${picture(image)},`,
      `    "top_k": ${request.top_k},`,
      "})",
      "for label in answer[\"labels\"]:",
      "    print(f\"{label['score']:.3f} {label['name']}\")",
    ])],
  ];
}

const vectors = (model, inputs) => [
  `answer = client.embeddings.create(model=${string(model)}, input=[`,
  ...inputs.map((input) => `    ${input},`),
  "])",
  "vectors = [item.embedding for item in answer.data]",
  "print(len(vectors), \"vectors of\", len(vectors[0]), \"numbers\")",
];

// Writes a POST for a POSIX shell, with pictures as the files of a form.
function curl(path, request, images, options = "") {
  const json = JSON.stringify(request);
  const parts = images.length === 0
    ? ["--header 'content-type: application/json'", `--data-raw ${quoted(json)}`]
    : [`--form-string ${quoted(`request=${json}`)}`, ...images.map((image) => `--form ${quoted(`image=@${fileName(image)}`)}`)];
  if (hasKey()) parts.unshift("--header \"authorization: Bearer $AMPOULE_KEY\"");
  return [`curl ${options}${quoted(here(path))}`, ...parts].join(" \\\n  ");
}

function python(hasPictures, lines) {
  const pictures = [
    "",
    "def picture(path, media_type):",
    "    with open(path, \"rb\") as file:",
    "        return f\"data:{media_type};base64,{base64.b64encode(file.read()).decode()}\"",
  ];
  const imports = [...(hasPictures ? ["import base64"] : []), ...(hasKey() ? ["import os"] : [])];
  const key = hasKey() ? "os.environ[\"AMPOULE_KEY\"]" : "\"none\"";
  return [
    ...imports,
    ...(imports.length > 0 ? [""] : []),
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${string(here("v1"))}, api_key=${key})`,
    ...(hasPictures ? pictures : []),
    "",
    ...lines,
  ].join("\n");
}

const picture = (image) => `picture(${string(nameOf(image))}, ${string(image.type)})`;

const here = (path) => new URL(path, document.baseURI).href;

// Quotes a text for a POSIX shell.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// Writes a file's name for curl, to which commas and semicolons outside of quotes mean something.
const fileName = (image) => `"${nameOf(image).replace(/["\\]/g, "\\$&")}"`;

// Writes a text for Python, which reads JSON's strings as they are.
const string = (text) => JSON.stringify(text);
