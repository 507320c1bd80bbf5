// Sentences and pictures by their meaning: the cosine of each pair's vectors.

import { ask } from "./api.js";
import { picturePrograms, textPrograms } from "./code.js";
import { byId, element, say } from "./dom.js";
import { count } from "./format.js";
import { Pictures, nameOf, thumbnail } from "./pictures.js";
import { asCode, costOf, errorBox } from "./results.js";

// A matrix of more rows is no longer read by anybody.
const MOST = 24;

const EXAMPLE = [
  "The ferry leaves at nine in the morning.",
  "A boat departs early each day.",
  "She planted tomatoes behind the house.",
].join("\n");

// Starts the form. `model` returns the chosen model.
export function startCompare(model) {
  const pictures = new Pictures(byId("compare-pictures"), "compare-files", MOST);
  const sentences = byId("sentences");
  const submit = byId("compare-form").querySelector("button[type=submit]");
  sentences.value = EXAMPLE;
  let running;

  byId("compare-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    running = new AbortController();
    submit.setAttribute("aria-disabled", "true");
    try {
      await run(running.signal);
    } catch (error) {
      if (error.name !== "AbortError") byId("matrix").replaceChildren(errorBox(error));
    } finally {
      running = undefined;
      submit.removeAttribute("aria-disabled");
    }
  });

  const reads = (task) => model().loaded.tasks.includes(task);

  async function run(signal) {
    const asked = model();
    const lines = reads("text-embedding")
      ? sentences.value.split("\n").map((line) => line.trim()).filter((line) => line !== "")
      : [];
    const files = reads("image-embedding") ? pictures.files : [];
    const things = lines.length + files.length;
    if (things < 2 || things > MOST) {
      const message = things < 2 ? "At least two are needed for a comparison." : `${MOST} are compared at most; ${things} are here.`;
      byId("matrix").replaceChildren(element("p", { class: "notice", role: "alert" }, message));
      return;
    }
    say("Comparing");
    const results = [];
    const items = [];
    if (lines.length > 0) {
      const answer = await ask(asked.name, "text-embedding", { texts: lines }, [], signal);
      results.push(["Sentences", answer, textPrograms(asked.name, lines)]);
      lines.forEach((text, index) => items.push({ text, vector: answer.vectors[index], isCut: answer.truncated[index] }));
    }
    if (files.length > 0) {
      const answer = await ask(asked.name, "image-embedding", {}, files, signal);
      results.push(["Pictures", answer, picturePrograms(asked.name, files)]);
      files.forEach((file, index) => items.push({ file, text: nameOf(file), vector: answer.vectors[index] }));
    }
    byId("matrix").replaceChildren(...matrix(items), ...results.flatMap(([name, answer, programs]) => [
      ...(results.length > 1 ? [element("h2", {}, name)] : []),
      costOf(answer.sandboxes, asked.loaded.limits, [
        ["Tokens", count(answer.usage.input_tokens)],
        ["Vector", `${count(answer.vectors[0].length)} numbers`],
      ]),
      asCode(programs),
    ]));
  }

  return {
    pictures: () => reads("image-embedding") ? pictures : undefined,
    show: (isOther) => {
      byId("compare-texts").hidden = !reads("text-embedding");
      byId("compare-pictures").hidden = !reads("image-embedding");
      if (!isOther) return;
      running?.abort();
      byId("matrix").replaceChildren();
    },
  };
}

// Shows the cosine of each pair, and names the closest one.
function matrix(items) {
  const cosines = items.map((a) => items.map((b) => cosine(a.vector, b.vector)));
  const number = (index) => `${index + 1}`;
  const table = element("table", {},
    element("thead", {}, element("tr", {}, element("td", { class: "self" }),
      ...items.map((item, index) => element("th", { scope: "col" },
        number(index), element("span", { class: "unseen" }, ` ${item.text}`))))),
    element("tbody", {}, ...items.map((item, row) => element("tr", {},
      element("th", { scope: "row" }, element("span", { class: "number" }, number(row)), ...titleOf(item)),
      ...items.map((_, column) => {
        const value = cosines[row][column];
        const cell = element("td", row === column ? { class: "self" } : {}, Number.isNaN(value) ? "–" : value.toFixed(2));
        if (row !== column && value > 0) cell.style.setProperty("--share", value.toFixed(3));
        return cell;
      })))));
  const scroll = element("div", { class: "scroll", role: "region", "aria-labelledby": "matrix-title", tabindex: "0" }, table);
  const best = closest(cosines);
  const words = best
    ? `Closest: ${number(best.row)} and ${number(best.column)}, ${best.value.toFixed(2)}.`
    : "None of these has a vector with a direction.";
  say(`${words} ${items[best?.row ?? 0].text} ${items[best?.column ?? 0].text}`);
  const cut = items.flatMap((item, index) => item.isCut ? [number(index)] : []);
  return [
    element("h2", { id: "matrix-title" }, "Similarity, from 1 for the same to 0 for nothing in common"),
    scroll,
    element("p", {}, words),
    ...(cut.length > 0 ? [element("p", { class: "notice" }, `The model read only the beginning of ${cut.join(", ")}.`)] : []),
  ];
}

const titleOf = (item) => [item.file ? thumbnail(item.file) : item.text];

function closest(cosines) {
  let best;
  cosines.forEach((row, index) => row.slice(0, index).forEach((value, column) => {
    if (!Number.isNaN(value) && (!best || value > best.value)) best = { row: column, column: index, value };
  }));
  return best;
}

// Returns the cosine of two vectors, and NaN where one has no direction or they are of different spaces.
function cosine(a, b) {
  if (a.length !== b.length) return NaN;
  let product = 0;
  let lengthA = 0;
  let lengthB = 0;
  for (let index = 0; index < a.length; index += 1) {
    product += a[index] * b[index];
    lengthA += a[index] ** 2;
    lengthB += b[index] ** 2;
  }
  return product / Math.sqrt(lengthA * lengthB);
}
