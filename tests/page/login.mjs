// Checks of the page's login, in a real browser. tests/tests/serve/page.rs starts the server, which needs API keys.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { check, choose, isAccessible, run, spoken } from './browser.mjs';

const [KEY, PYTHON, FOLDER] = process.argv.slice(3);
const WRONG = KEY.slice(0, -1) + (KEY.endsWith('0') ? '1' : '0');
const MODEL = 'every-task';
const LOCKED = { isLocked: true, provoked: ['status of 401'] };

const dialog = (page) => page.getByRole('dialog', { name: 'This server asks for an API key' });
const field = (page) => dialog(page).getByLabel('API key', { exact: true });
const logIn = async (page, key = KEY) => {
  await field(page).fill(key);
  await page.keyboard.press('Enter');
};
const logged = async (page) => {
  await logIn(page);
  await choose(page, MODEL);
};
// Asserts that neither the document nor a field holds the key.
const isNowhere = async (page, key = KEY) => {
  const secret = key.slice(-64);
  const places = await page.evaluate((secret) => [
    document.documentElement.outerHTML.includes(secret),
    [...document.querySelectorAll('input, textarea')].some((field) => field.value.includes(secret)),
    JSON.stringify(history.state ?? '').includes(secret),
    location.href.includes(secret),
    Object.keys(window).some((name) => typeof window[name] === 'string' && window[name].includes(secret)),
  ], secret);
  assert.deepEqual(places, [false, false, false, false, false]);
};

check('the_page_asks_for_a_key_when_it_is_refused_and_works_with_one', LOCKED, async (page) => {
  const sent = [];
  page.on('request', (request) => sent.push([new URL(request.url()).pathname, request.headers().authorization]));
  await dialog(page).waitFor();
  assert.equal(await field(page).getAttribute('type'), 'password');
  assert.equal(await field(page).getAttribute('autocomplete'), 'off');
  assert.ok(await field(page).evaluate((node) => node === document.activeElement), 'the field has the focus');
  await isAccessible(page);
  await logIn(page, 'two words');
  await dialog(page).getByRole('alert').filter({ hasText: 'no blanks' }).waitFor();
  await logIn(page, WRONG);
  await dialog(page).getByRole('alert').filter({ hasText: 'not accepted' }).waitFor();
  assert.equal(await field(page).inputValue(), '', 'a refused key is gone');
  await isAccessible(page);
  await isNowhere(page, WRONG);
  await logged(page);
  assert.ok((await spoken(page)).includes('The key is in use'));
  await page.getByRole('textbox', { name: 'Question' }).fill('one two');
  await page.keyboard.press('Enter');
  await page.locator('.exchange .cost').waitFor();
  assert.equal((await page.locator('.answer').innerText()).trim(), 'one two');
  await isAccessible(page);
  await isNowhere(page);
  assert.deepEqual(sent.at(-1), ['/ampoule/v1/models/every-task/text-generation', `Bearer ${KEY}`]);
  assert.ok(sent.every(([path, key]) => key === undefined || path.startsWith('/ampoule/v1/')), String(sent));
});

check('a_key_is_forgotten_on_reload_and_on_log_out', LOCKED, async (page) => {
  await dialog(page).waitFor();
  await logged(page);
  await page.reload();
  await dialog(page).waitFor();
  assert.ok(await page.locator('#sheet').isHidden());
  await logged(page);
  await page.getByRole('button', { name: 'Log out' }).click();
  await dialog(page).waitFor();
  assert.ok(await page.locator('#sheet').isHidden(), 'what was asked with the key is gone with it');
  await isNowhere(page);
});

check('a_key_is_forgotten_after_half_an_hour_without_a_sign_of_the_visitor', LOCKED, async (page) => {
  await page.clock.install();
  await page.reload();
  await dialog(page).waitFor();
  await logged(page);
  await page.clock.fastForward('29:00');
  await page.keyboard.press('Shift');
  await page.clock.fastForward('29:00');
  assert.ok(await page.locator('#sheet').isVisible(), 'a visitor who is there stays');
  await page.clock.fastForward('31:00');
  await dialog(page).waitFor();
  await isNowhere(page);
});

check('a_login_that_is_cancelled_is_begun_again_by_the_keyboard', LOCKED, async (page) => {
  await dialog(page).waitFor();
  await page.keyboard.type('amp_half');
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'hidden' });
  await page.waitForFunction(() => document.getElementById('key').value === '');
  await page.getByRole('status').filter({ hasText: 'auth.missing' }).waitFor();
  await isAccessible(page);
  await page.getByRole('button', { name: 'Log in' }).focus();
  await page.keyboard.press('Enter');
  await dialog(page).waitFor();
  const order = [];
  for (let step = 0; step < 3; step += 1) {
    order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
    await page.keyboard.press('Tab');
  }
  assert.deepEqual(order, ['key', 'Use this key', 'login-cancel']);
});

check('copied_requests_name_a_variable_and_not_the_key', LOCKED, async (page) => {
  await dialog(page).waitFor();
  await logged(page);
  await page.getByRole('textbox', { name: 'Question' }).fill('one two');
  await page.keyboard.press('Enter');
  await page.locator('.exchange .cost').waitFor();
  await page.getByText('This request as code').click();
  const copied = async (name) => {
    await page.getByRole('button', { name: `Copy the ${name} code` }).click();
    await page.getByText(`Copied the ${name} code`).waitFor({ state: 'attached' });
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const options = { cwd: FOLDER, encoding: 'utf8', timeout: 30_000, env: { ...process.env, AMPOULE_KEY: KEY } };
  const [curl, python] = [await copied('curl'), await copied('Python')];
  for (const program of [curl, python]) {
    assert.ok(program.includes('AMPOULE_KEY') && !program.includes(KEY.slice(-64)), program);
  }
  const events = execFileSync('sh', ['-c', curl], { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
  assert.ok(events.includes('"finish_reason"'), events);
  assert.equal(execFileSync(PYTHON, ['-c', python], options).trim(), 'one two');
});

for (const colorScheme of ['light', 'dark']) {
  const options = { ...LOCKED, colorScheme, viewport: { width: 320, height: 640 } };
  check(`the_${colorScheme}_login_is_legible_and_fits_a_telephone`, options, async (page) => {
    await dialog(page).waitFor();
    await isAccessible(page);
    const box = await dialog(page).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 320 && box.y >= 0 && box.y + box.height <= 640, JSON.stringify(box));
    await logged(page);
    const { inner, outer } = await page.evaluate(() => ({ inner: document.documentElement.scrollWidth, outer: innerWidth }));
    assert.ok(inner <= outer, `${inner} px wide in ${outer}`);
    await isAccessible(page);
  });
}

await run();
