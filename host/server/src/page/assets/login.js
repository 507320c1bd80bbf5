// The visitor's API key: asked for when the server refuses, and kept in this file's memory alone.

import { onRefused, useKey } from "./api.js";
import { byId, say } from "./dom.js";

// Milliseconds without a sign of the visitor after which the key is forgotten.
const IDLE = 30 * 60 * 1000;

// Milliseconds between two looks at the time.
const LOOK = 15 * 1000;

// Signs of a visitor.
const SIGNS = ["pointerdown", "keydown", "wheel"];

let last = 0;
let timer;

// Starts the dialog. `changed` is called when there is another key.
export function startLogin(changed) {
  const [dialog, input] = [byId("login"), byId("key")];
  onRefused((error) => {
    const hadKey = forget();
    fault(hadKey ? error.message : "");
    open();
  });
  byId("session").addEventListener("click", () => byId("session").dataset.state === "in" ? end() : open());
  byId("login-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { input.value = ""; });
  byId("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = input.value.trim();
    if (!/^[\x21-\x7e]+$/.test(key)) {
      fault("A key has letters, digits and signs of ASCII, and no blanks within.");
      input.focus();
      return;
    }
    fault("");
    dialog.close();
    remember(key);
    changed();
  });
  for (const sign of SIGNS) addEventListener(sign, touch, { capture: true, passive: true });
  // A page that the browser keeps to come back to has no key any more.
  addEventListener("pagehide", forget);
  document.addEventListener("visibilitychange", look);

  function open() {
    show("out");
    if (!dialog.open) dialog.showModal();
    input.focus();
  }
}

// Notes that the visitor is there, who may be another than before.
function touch() {
  look();
  last = Date.now();
}

function remember(key) {
  useKey(key);
  last = Date.now();
  timer = setInterval(look, LOOK);
  show("in");
  say("The key is in use");
}

// Forgets the key, and tells whether there was one.
function forget() {
  const hadKey = timer !== undefined;
  clearInterval(timer);
  timer = undefined;
  useKey(undefined);
  return hadKey;
}

// Ends the session of a visitor who is gone.
function look() {
  if (timer !== undefined && Date.now() - last >= IDLE) end();
}

// Forgets the key and what was asked with it: the page begins anew.
function end() {
  forget();
  location.reload();
}

function show(state) {
  const button = byId("session");
  button.dataset.state = state;
  button.textContent = state === "in" ? "Log out" : "Log in";
  button.hidden = false;
}

function fault(text) {
  byId("login-fault").textContent = text;
  byId("login-fault").hidden = text === "";
}
