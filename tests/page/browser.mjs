// A browser at the page, which notes each thing that the page must not do.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const BASE = process.argv[2].replace(/\/$/, '');

// The installed packages. They are not beside this file, where `import` would look for them.
const require = createRequire(`${process.env.AMPOULE_CLIENTS}/page/package.json`);
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

// Longest time for a thing to appear, on a busy machine.
const PATIENCE = 30_000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: [
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

const checks = [];

/// Names a check. Its body gets a page that has loaded.
export function check(name, options, body) {
  checks.push({ name, options, body });
}

/// Runs all checks, two at a time: one line for each, in their order, and the number that failed as the exit status.
export async function run() {
  const waiting = checks.map((_, index) => index);
  const lines = [];
  const work = async () => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      const { name, options, body } = checks[index];
      const begun = performance.now();
      try {
        await visit(options, body);
        lines[index] = `ok ${name}`;
      } catch (error) {
        lines[index] = `FAIL ${name}: ${String(error?.message ?? error).split('\n')[0]}`;
        console.error(error);
      }
      console.error(`${name}: ${Math.round(performance.now() - begun)} ms`);
    }
  };
  await Promise.all([work(), work()]);
  await browser.close();
  console.log(lines.join('\n'));
  process.exitCode = Math.min(lines.filter((line) => line.startsWith('FAIL')).length, 100);
}

/// Opens the page at a model, and asserts after `body` that the page logged no error, broke no rule of its policy and
/// asked nobody but its own server. `provoked` are words of the complaints that the check provokes. A page that `isLocked`
/// shows no model before the check has given it a key.
async function visit({ model = 'tiny-vlm', isLocked = false, provoked = [], ...options }, body) {
  const context = await browser.newContext({
    viewport: { width: 1200, height: 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const faults = [];
  const complain = (text) => {
    if (!provoked.some((words) => text.includes(words))) faults.push(text);
  };
  page.on('pageerror', (error) => complain(`error: ${error}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complain(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== BASE && !['blob:', 'data:'].includes(url.protocol)) complain(`asked ${url}`);
  });
  await page.exposeFunction('reportViolation', (text) => complain(`policy: ${text}`));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  try {
    const response = await page.goto(`${BASE}/`);
    if (!isLocked) await choose(page, model);
    await body(page, response);
    const kept = await page.evaluate(async () => [
      document.cookie, localStorage.length, sessionStorage.length, (await indexedDB.databases()).length,
    ]);
    assert.deepEqual(kept, ['', 0, 0, 0], 'the page keeps nothing');
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
  }
}

/// Waits for the models, and chooses one.
export async function choose(page, model) {
  await page.locator('#sheet').waitFor();
  if (await page.locator('#model').inputValue() !== model) await page.selectOption('#model', model);
  await page.locator('h1', { hasText: model }).waitFor();
}

/// Asserts that axe-core finds no fault in the page as it is.
export async function isAccessible(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
  assert.deepEqual(told, []);
}

/// Returns what a screen reader was told so far.
export const spoken = (page) => page.locator('#spoken').innerText();
