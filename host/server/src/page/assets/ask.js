// Questions, with pictures, and answers that are written while they are made.

import { stream } from "./api.js";
import { generationPrograms } from "./code.js";
import { Spoken, byId, element, say } from "./dom.js";
import { count, milliseconds } from "./format.js";
import { Pictures, thumbnail } from "./pictures.js";
import { asCode, costOf, errorBox } from "./results.js";

const MOST_PICTURES = 16;

// Answers that stay on the page.
const MOST_ANSWERS = 50;

// Words for the reasons at which a model ends.
const REASONS = {
  stop: "The model ended its answer.",
  length: "Cut off at the longest answer that you allow.",
  "stop-string": "Ended at a stop text.",
};

// Starts the form. `model` returns the chosen model.
export function startAsk(model) {
  const pictures = new Pictures(byId("ask-pictures"), "ask-files", MOST_PICTURES);
  const question = byId("question");
  const submit = byId("ask-form").querySelector("button[type=submit]");
  let running;

  byId("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!running) run();
  });
  // A field with a fault has to be seen.
  byId("ask-form").addEventListener("invalid", () => { byId("settings").open = true; }, true);
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      byId("ask-form").requestSubmit();
    }
  });
  byId("stop").addEventListener("click", () => running?.abort());
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") running?.abort();
  });

  async function run() {
    if (question.value.trim() === "" && pictures.files.length === 0) {
      question.focus();
      say("Write a question first");
      return;
    }
    const asked = model();
    const files = pictures.files;
    const words = question.value.trim();
    const request = requestOf(words);
    const exchange = new Exchange(words || "Pictures only", files);
    running = new AbortController();
    submit.setAttribute("aria-disabled", "true");
    byId("stop").disabled = false;
    byId("answers").prepend(exchange.root);
    exchange.root.scrollIntoView({ block: "nearest" });
    while (byId("answers").childElementCount > MOST_ANSWERS) byId("answers").lastElementChild.remove();
    try {
      exchange.showCode(generationPrograms(asked.name, request, files));
      await exchange.answer(asked, request, files, running.signal);
    } finally {
      running = undefined;
      submit.removeAttribute("aria-disabled");
      if (document.activeElement === byId("stop")) question.focus();
      byId("stop").disabled = true;
    }
  }

  return {
    pictures: () => pictures,
    show: (isOther) => {
      if (!isOther) return;
      running?.abort();
      byId("answers").replaceChildren();
    },
  };
}

// One question with its answer.
class Exchange {
  #text = document.createTextNode("");
  #answer = element("div", { class: "answer going" }, this.#text);
  #state = element("p", { class: "state" }, "Reading the question…");
  #rest = element("div");
  #waiting = "";
  root;

  constructor(words, files) {
    this.root = element("article", { class: "exchange", "aria-label": `Question: ${shortened(words, 100)}` },
      element("div", { class: "asked" },
        element("h2", {}, shortened(words, 300)),
        files.length > 0
          ? element("ul", { "aria-label": "Pictures of the question" }, ...files.map((file) => element("li", {}, thumbnail(file))))
          : undefined),
      this.#answer, this.#state, this.#rest);
  }

  showCode(programs) {
    this.root.append(asCode(programs));
  }

  async answer(model, request, files, signal) {
    const spoken = new Spoken();
    const begun = performance.now();
    let first;
    say("Answering");
    try {
      for await (const piece of stream(model.name, "text-generation", request, files, signal)) {
        if (piece.text) {
          first ??= performance.now() - begun;
          this.#state.textContent = "Answering…";
          this.#write(piece.text);
          spoken.add(piece.text);
        }
        if (piece.finish_reason) {
          spoken.end();
          this.#finish(piece, first, model.loaded.limits);
        }
      }
    } catch (error) {
      spoken.end();
      if (error.name === "AbortError") {
        this.#state.textContent = "Stopped. The server ended the sandbox.";
        say("Stopped");
        return;
      }
      this.#state.hidden = true;
      const box = errorBox(error);
      this.#show();
      this.#rest.append(box);
      box.scrollIntoView({ block: "nearest" });
    } finally {
      this.#show();
      this.#answer.classList.remove("going");
      if (this.#text.length === 0) this.#answer.hidden = true;
    }
  }

  // Adds a piece. A quick model writes thousands a second, and the browser lays them out once a frame.
  #write(text) {
    if (this.#waiting === "") requestAnimationFrame(() => this.#show());
    this.#waiting += text;
  }

  #show() {
    this.#text.appendData(this.#waiting);
    this.#waiting = "";
  }

  #finish(end, first, limits) {
    this.#state.textContent = REASONS[end.finish_reason] ?? `Ended: ${end.finish_reason}.`;
    say("Answer complete");
    const cost = costOf(end.sandboxes, limits, [
      ["First word after", milliseconds(Math.round(first ?? 0))],
      ["Tokens", `${count(end.usage.input_tokens)} in, ${count(end.usage.output_tokens)} out`],
    ]);
    this.#show();
    this.#rest.append(cost);
    cost.scrollIntoView({ block: "nearest" });
  }
}

const shortened = (text, most) => text.length <= most ? text : `${text.slice(0, most)}… (${count(text.length)} letters)`;

function requestOf(prompt) {
  const seed = byId("seed").value;
  return {
    prompt,
    max_output_tokens: byId("tokens").valueAsNumber,
    sampling: {
      temperature: byId("temperature").valueAsNumber,
      seed: seed === "" ? undefined : Number(seed),
    },
  };
}
