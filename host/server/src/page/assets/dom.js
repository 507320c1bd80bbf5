// Elements of the page. Text from elsewhere only ever becomes a text node, so markup in a model's name stays text.

export const byId = (id) => document.getElementById(id);

// Makes an element with attributes, and with children that are nodes or texts.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

// Makes a bar of so much of the whole. The number stands beside it as text, so the bar itself is not read out.
export function gauge(share) {
  const filled = element("span");
  filled.style.width = `${Math.min(100, Math.max(0, share * 100))}%`;
  return element("div", { class: "gauge", "aria-hidden": "true" }, filled);
}

// Makes a list of terms from pairs. Pairs without a value are left out.
export function terms(pairs, kind) {
  const list = element("dl", { class: kind });
  for (const [term, value] of pairs) {
    if (value === undefined || value === null || value === "") continue;
    list.append(element("dt", {}, term), element("dd", {}, value));
  }
  return list;
}

// Makes a button that copies what `text` returns, and says so.
export function copyButton(what, text) {
  const button = element("button", { type: "button", class: "small", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
      say(`Copied ${what}`);
    } catch {
      button.textContent = "Select and copy by hand";
      say(`The browser did not copy ${what}`);
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return button;
}

// Adds a line for screen readers.
export function say(text) {
  const spoken = byId("spoken");
  spoken.append(element("p", {}, text));
  while (spoken.childElementCount > 30) spoken.firstElementChild.remove();
}

// Letters after which a text without sentences is said all the same.
const LONGEST = 400;

// Says a text that grows, some sentences at a time: piece by piece it would be read as fragments.
export class Spoken {
  #waiting = "";

  add(text) {
    const last = this.#waiting.slice(-1);
    this.#waiting += text;
    if (/[.!?]\s|\n/.test(last + text)) {
      const end = this.#waiting.search(/([.!?]\s|\n)(?!.*([.!?]\s|\n))/s);
      this.#flush(end + 1);
    } else if (this.#waiting.length > LONGEST) {
      this.#flush(this.#waiting.lastIndexOf(" ") + 1 || this.#waiting.length);
    }
  }

  end() {
    this.#flush(this.#waiting.length);
  }

  #flush(length) {
    const sentence = this.#waiting.slice(0, length).trim();
    this.#waiting = this.#waiting.slice(length);
    if (sentence) say(sentence);
  }
}
