// A picture and the labels that fit it.

import { ask } from "./api.js";
import { classificationPrograms } from "./code.js";
import { byId, element, gauge, say } from "./dom.js";
import { share } from "./format.js";
import { Pictures } from "./pictures.js";
import { asCode, costOf, errorBox } from "./results.js";

// Labels that are shown at most.
const LABELS = 5;

// Starts the form. `model` returns the chosen model.
export function startClassify(model) {
  const pictures = new Pictures(byId("classify-picture"), "classify-file", 1);
  const submit = byId("classify-form").querySelector("button[type=submit]");
  let running;

  byId("classify-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    const [file] = pictures.files;
    if (!file) {
      pictures.refuse("Choose a picture first.");
      return;
    }
    running = new AbortController();
    submit.setAttribute("aria-disabled", "true");
    try {
      const asked = model();
      say("Classifying");
      const request = { top_k: LABELS };
      const answer = await ask(asked.name, "image-classification", request, [file], running.signal);
      byId("labels").replaceChildren(
        listOf(answer.labels),
        costOf(answer.sandboxes, asked.loaded.limits),
        asCode(classificationPrograms(asked.name, request, file)));
    } catch (error) {
      if (error.name !== "AbortError") byId("labels").replaceChildren(errorBox(error));
    } finally {
      running = undefined;
      submit.removeAttribute("aria-disabled");
    }
  });

  return {
    pictures: () => pictures,
    show: (isOther) => {
      if (!isOther) return;
      running?.abort();
      byId("labels").replaceChildren();
    },
  };
}

function listOf(labels) {
  if (labels.length === 0) return element("p", {}, "The model knows no label for this picture.");
  say(`Most likely ${labels[0].name}, ${share(labels[0].score)}`);
  return element("ol", { class: "bars", "aria-label": "Labels, the likeliest first" }, ...labels.map(({ name, score }) =>
    element("li", {}, element("span", {}, name), element("span", { class: "share" }, share(score)), gauge(score))));
}
