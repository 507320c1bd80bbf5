// Parts of a result that all tasks share: its cost, its error, and its request as code.

import { copyButton, element, gauge } from "./dom.js";
import { bytes, count, fuel, milliseconds, share } from "./format.js";

// Shows the cost of a request beside what one sandbox may cost. `more` are pairs of terms.
export function costOf(sandboxes, limits, more = []) {
  const fuelOf = sandboxes.reduce((sum, sandbox) => sum + sandbox.fuel, 0);
  const most = (key) => Math.max(...sandboxes.map((sandbox) => sandbox[key]));
  const isOne = sandboxes.length === 1;
  const of = (used, limit, words) => isOne && limit > 0
    ? [gauge(used / limit), element("span", { class: "of" }, `${share(used / limit)} of ${words(limit)}`)]
    : [];
  const cost = (term, used, limit, words) => element("div", {},
    element("dt", {}, term),
    element("dd", {}, element("span", { class: "value", title: count(used) }, words(used)), ...of(used, limit, words)));
  const plain = ([term, value]) => element("div", {},
    element("dt", {}, term), element("dd", {}, element("span", { class: "value" }, value)));
  if (sandboxes.length === 0) {
    return element("dl", { class: "cost" }, plain(["Cost", "none: an answer that was kept"]), ...more.map(plain));
  }
  return element("dl", { class: "cost" },
    cost("Fuel", fuelOf, limits.fuel, fuel),
    cost(isOne ? "Memory" : "Memory, each at most", most("peak_memory_bytes"), limits.memory_bytes, bytes),
    cost(isOne ? "Sandbox time" : "Time, the slowest", most("wall_ms"), limits.deadline_ms, milliseconds),
    ...(isOne ? [] : [plain(["Sandboxes", count(sandboxes.length)])]),
    ...more.map(plain));
}

// Shows an error with its code.
export function errorBox(error) {
  const request = error.request ? [element("p", { class: "hint" }, `Request ${error.request}`)] : [];
  const again = error.isRetryable ? [element("p", {}, "The same request may work in a moment.")] : [];
  return element("div", { class: "error", role: "alert" },
    element("p", { class: "code" }, error.code),
    element("p", {}, error.message),
    ...again, ...request);
}

// Shows a request as programs: pairs of a name and a text.
export function asCode(programs) {
  return element("details", {},
    element("summary", {}, "This request as code"),
    ...programs.map(([name, text]) => element("div", { class: "code-block" },
      element("div", { class: "bar" }, element("h3", {}, name), copyButton(`the ${name} code`, () => text)),
      element("pre", { tabindex: "0", role: "region", "aria-label": `${name} code` }, element("code", {}, text)))));
}
