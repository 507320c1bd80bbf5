// The label of a model: who signed it, what it may do, and what a request may cost.

import { byId, copyButton, element, terms } from "./dom.js";
import { bytes, count, date, fuel, milliseconds } from "./format.js";

const TASKS = {
  "text-generation": "Write text",
  "text-embedding": "Embed text",
  "text-tokenization": "Count and list tokens",
  "image-embedding": "Embed pictures",
  "image-classification": "Classify pictures",
};

const CAPABILITIES = {
  "host-kernels": "the host’s own matrix arithmetic",
};

const PROFILES = {
  metered: "Fuel is counted, and a request that uses it up is stopped.",
  deterministic: "Fuel is counted, and the same request gives the same bits on every machine.",
  unmetered: "Fuel is not counted on this server.",
};

// Shows the label of a model that is up.
export function showLabel(model) {
  const facts = model.loaded;
  byId("facts").replaceChildren(
    signed(facts),
    release(facts),
    title("May do"),
    list(facts.tasks.map((task) => ["✓", TASKS[task] ?? task])),
    ...capabilities(facts.capabilities),
    title("One request may cost"),
    terms([
      ["Fuel", facts.profile === "unmetered" ? "not counted" : fuel(facts.limits.fuel)],
      ["Memory", bytes(facts.limits.memory_bytes)],
      ["Time", milliseconds(facts.limits.deadline_ms)],
      ["Answer", bytes(facts.limits.output_bytes)],
    ]),
    element("p", { class: "aside" }, PROFILES[facts.profile] ?? facts.profile),
    title("About"),
    terms([
      ["Size", bytes(facts.size_bytes)],
      ["Network", facts.architecture],
      ["Start", start(facts.sandbox_start)],
      ["License", facts.license],
      ["Source", facts.source],
      ["Also named", model.aliases.join(", ")],
    ]),
    ...properties(facts.properties),
  );
}

// Says in one line whose model this is.
export function summaryOf(facts) {
  return [
    "Signed by ", element("strong", {}, facts.publisher),
    ` · version\u00a0${facts.version} · release\u00a0${count(facts.release)}`,
  ];
}

function signed(facts) {
  const keys = facts.signers.length;
  const by = keys === 1 ? "one key that this server trusts" : `${keys} keys that this server trusts`;
  return element("div", { class: "signed" }, tick(), element("p", {},
    element("strong", {}, facts.publisher), ` signed ${facts.model} with ${by}. Nothing was changed since.`));
}

function release(facts) {
  const digest = element("span", { class: "hex" }, facts.manifest_sha256);
  return element("div", {},
    terms([
      ["Version", facts.version],
      ["Release", count(facts.release)],
      ["Signed on", date(facts.created)],
      ["Runs until", facts.not_after && date(facts.not_after)],
    ]),
    terms([
      [facts.signers.length === 1 ? "Key id" : "Key ids", element("span", { class: "hex" }, facts.signers.join("\n"))],
      ["Manifest, SHA-256", element("span", {}, digest, " ", copyButton("the manifest’s digest", () => facts.manifest_sha256))],
    ], "long"));
}

function capabilities(asked) {
  const granted = asked.filter((capability) => capability.is_granted);
  const refused = asked.filter((capability) => !capability.is_granted);
  const word = ({ name }) => CAPABILITIES[name] ? `${name}: ${CAPABILITIES[name]}` : name;
  return [
    list([
      ...granted.map((capability) => ["✓", `Use ${word(capability)}`]),
      ...refused.map((capability) => ["✕", `Not granted: ${word(capability)}`]),
      ["✕", "No network, no files, no other programs"],
    ]),
  ];
}

// Shows facts that the model tells of itself, by the names that the contract gives them.
function properties(facts) {
  const pairs = Object.entries(facts);
  if (pairs.length === 0) return [];
  return [title("It says of itself"), terms(pairs, "own")];
}

function start(way) {
  if (way.kind === "snapshot") return `from a snapshot of ${bytes(way.memory_bytes)}`;
  return `cold: ${way.reason}`;
}

function title(text) {
  return element("h3", {}, text);
}

function list(items) {
  return element("ul", {}, ...items.map(([mark, text]) =>
    element("li", {}, element("span", { "aria-hidden": "true" }, mark), element("span", {}, text))));
}

function tick() {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(namespace, "path");
  path.setAttribute("d", "M10 1.500 17 4v5.500c0 4.400-2.900 7.500-7 9-4.100-1.500-7-4.600-7-9V4zM6.500 10l2.500 2.600 4.600-5");
  path.setAttribute("fill", "none");
  path.setAttribute("stroke", "currentColor");
  path.setAttribute("stroke-width", "1.600");
  path.setAttribute("stroke-linecap", "round");
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}
