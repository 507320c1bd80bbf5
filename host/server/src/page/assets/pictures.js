// Pictures of a question: chosen, dropped or pasted.

import { element, say } from "./dom.js";

export class Pictures {
  #files = [];
  #most;
  #list = element("ul", { class: "thumbs" });
  #problem = element("p", { class: "problem", role: "alert", hidden: true });
  #input;
  #zone;

  // Fills `root`. `most` is how many there may be; more than that replace the oldest.
  constructor(root, id, most) {
    this.#most = most;
    const words = most === 1 ? "Choose a picture" : "Add pictures";
    this.#input = element("input", { type: "file", id, class: "unseen", accept: "image/*", multiple: most > 1 });
    this.#input.addEventListener("change", () => {
      this.add(this.#input.files);
      this.#input.value = "";
    });
    this.#zone = element("div", { class: "pictures" },
      element("div", { class: "row" },
        this.#input,
        element("label", { for: id, class: "button" }, words),
        element("span", { class: "hint" }, "or drop or paste here")),
      this.#list, this.#problem);
    root.append(this.#zone);
  }

  get files() {
    return [...this.#files];
  }

  // Adds the pictures of a list of files. Others are named, and left out.
  add(files) {
    const found = [...files];
    const strange = found.find((file) => !file.type.startsWith("image/"));
    this.#problem.hidden = !strange;
    this.#problem.textContent = strange ? `${strange.name || "That file"} is not a picture.` : "";
    const added = found.filter((file) => file.type.startsWith("image/"));
    this.#files = [...this.#files, ...added].slice(-this.#most);
    if (added.length > 0) say(`Added ${added.map(nameOf).join(", ")}`);
    this.#show();
  }

  refuse(message) {
    this.#problem.textContent = message;
    this.#problem.hidden = false;
    this.#input.focus();
  }

  markDrag(isOver) {
    this.#zone.classList.toggle("over", isOver);
  }

  #show() {
    this.#list.replaceChildren(...this.#files.map((file, index) => {
      const remove = element("button", { type: "button", class: "small", "aria-label": `Remove ${nameOf(file)}` }, "Remove");
      remove.addEventListener("click", () => {
        this.#files.splice(index, 1);
        this.#show();
        // The focus stays in this place, and is not lost with the button.
        const next = this.#list.querySelectorAll("button")[Math.min(index, this.#files.length - 1)];
        (next ?? this.#input).focus();
        say(`Removed ${nameOf(file)}`);
      });
      return element("li", {},
        thumbnail(file),
        element("span", { class: "named" }, nameOf(file)),
        remove);
    }));
  }
}

// Makes a small view of a picture file.
export function thumbnail(file) {
  const image = element("img", { src: URL.createObjectURL(file), alt: nameOf(file) });
  const release = () => URL.revokeObjectURL(image.src);
  image.addEventListener("load", release, { once: true });
  image.addEventListener("error", release, { once: true });
  return image;
}

export const nameOf = (file) => file.name || "picture";

// Hands pictures that are dropped or pasted anywhere on the page to `current()`, where there is one.
export function receiveAnywhere(current) {
  const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    // Without this, the browser would leave the page and open the file.
    event.preventDefault();
    current()?.markDrag(true);
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) current()?.markDrag(false);
  });
  addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    current()?.markDrag(false);
    current()?.add(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    const files = event.clipboardData?.files ?? [];
    if (files.length === 0 || !current()) return;
    event.preventDefault();
    current().add(files);
  });
}
