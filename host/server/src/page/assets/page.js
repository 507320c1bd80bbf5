// The page: chooses a model, and shows what it offers.

import { models, onAnswer } from "./api.js";
import { startAsk } from "./ask.js";
import { startClassify } from "./classify.js";
import { startCompare } from "./compare.js";
import { byId, say } from "./dom.js";
import { showLabel, summaryOf } from "./label.js";
import { startLogin } from "./login.js";
import { receiveAnywhere } from "./pictures.js";
import { currentTab, offer, startTabs } from "./tabs.js";

// Milliseconds between two looks at models that are not up.
const PAUSE = 1500;

// The tasks that open each tab.
const TABS = {
  ask: ["text-generation"],
  compare: ["text-embedding", "image-embedding"],
  classify: ["image-classification"],
};

let known = [];
let chosen;
let timer;

const panels = {
  ask: startAsk(() => chosen),
  compare: startCompare(() => chosen),
  classify: startClassify(() => chosen),
};

startTabs();
startLogin(refresh);
receiveAnywhere(() => byId("sheet").hidden ? undefined : panels[currentTab()]?.pictures());
byId("model").addEventListener("change", () => show(byId("model").value));
onAnswer((name, manifest) => {
  // A newer release has taken over since the label was made.
  if (chosen?.name === name && chosen.loaded?.manifest_sha256 !== manifest) refresh();
});
await refresh();

// Asks the server for its models, and asks again while one is not up.
async function refresh() {
  clearTimeout(timer);
  const again = () => { timer = setTimeout(refresh, PAUSE); };
  try {
    known = await models();
  } catch (error) {
    notice(`${error.message} (${error.code})`);
    // Without a good key the next look would be refused like this one.
    if (!error.isRefused) again();
    return;
  }
  list();
  if (known.some((model) => model.readiness !== "ready")) again();
  show(chosen?.name ?? (known.find((model) => model.readiness === "ready") ?? known[0])?.name);
}

function list() {
  const select = byId("model");
  const words = { loading: " (loading)", failed: " (not loaded)", untrusted: " (not trusted)" };
  const options = known.map((model) => new Option(`${model.name}${words[model.readiness] ?? ""}`, model.name));
  const isSame = options.length === select.options.length
    && options.every((option, index) => option.text === select.options[index].text);
  if (!isSame) {
    const before = select.value;
    select.replaceChildren(...options);
    select.value = before;
  }
  select.disabled = known.length === 0;
}

function show(name) {
  const model = known.find((model) => model.name === name);
  notice(noticeOf(model));
  byId("sheet").hidden = !model?.loaded;
  const isOther = chosen?.name !== name;
  const isNewer = chosen?.loaded?.manifest_sha256 !== model?.loaded?.manifest_sha256;
  chosen = model;
  if (!model || (!isOther && !isNewer)) return;
  byId("model").value = name;
  document.title = `${name} · Ampoule`;
  byId("name").textContent = name;
  byId("summary").replaceChildren(...(model.loaded ? summaryOf(model.loaded) : []));
  byId("description").textContent = model.loaded?.description ?? "";
  if (!model.loaded) return;
  showLabel(model);
  const tabs = Object.keys(TABS).filter((tab) => TABS[tab].some((task) => model.loaded.tasks.includes(task)));
  for (const tab of tabs) panels[tab].show(isOther);
  offer(tabs);
  byId("no-task").hidden = tabs.length > 0;
  byId("no-task").textContent = tabs.length > 0 ? "" : "This page has no form for the tasks of this model. Its API answers.";
  if (isOther) say(`Model ${name}`);
}

function noticeOf(model) {
  if (!model) return "This server has no model.";
  if (model.readiness === "untrusted") {
    return `${model.name} is not trusted any more. Whoever runs this server finds the reason in its log.`;
  }
  if (model.loaded) return "";
  return model.readiness === "loading"
    ? `${model.name} is being loaded.`
    : `${model.name} could not be loaded. Whoever runs this server finds the reason in its log; the server tries again.`;
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = text === "";
}
