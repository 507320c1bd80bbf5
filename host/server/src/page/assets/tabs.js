// The tasks as tabs: arrow keys go from one to the next, and the tab key goes on into the task.

import { byId } from "./dom.js";

const NAMES = ["ask", "compare", "classify"];

let offered = [];
let current;

// Starts the tabs.
export function startTabs() {
  for (const name of NAMES) {
    byId(`tab-${name}`).addEventListener("click", () => select(name));
  }
  byId("tabs").addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -offered.indexOf(current), End: -1 - offered.indexOf(current) };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = offered.at((offered.indexOf(current) + steps[event.key]) % offered.length);
    select(next);
    byId(`tab-${next}`).focus();
  });
}

// Shows these tabs, and stays at the current one where it is among them.
export function offer(names) {
  offered = names;
  for (const name of NAMES) byId(`tab-${name}`).hidden = !names.includes(name);
  byId("tabs").hidden = names.length === 0;
  select(names.includes(current) ? current : names[0]);
}

// Returns the name of the tab that is shown.
export const currentTab = () => current;

function select(name) {
  current = name;
  for (const other of NAMES) {
    const isCurrent = other === name;
    byId(other).hidden = !isCurrent;
    const tab = byId(`tab-${other}`);
    tab.setAttribute("aria-selected", String(isCurrent));
    tab.tabIndex = isCurrent ? 0 : -1;
  }
}
