// Checks of the page at `/`, in a real browser. tests/tests/serve/page.rs starts the server and says which models it has.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { check, isAccessible, run, spoken } from './browser.mjs';

const PICTURES = process.argv[3];
const PYTHON = process.argv[4];
// A release of the model `changing`, and the place to which the server looks for it.
const [PLACE, NEWER] = process.argv.slice(5);
// A folder for commands. A question makes a file there if a shell takes it for a command.
const TRAP = process.argv[7];
const SHAPES = `${PICTURES}/shapes.png`;
const SHAPES_BASE64 = readFileSync(SHAPES).toString('base64');
const ANSWER = 'A blue square, a red circle and a yellow star.';

const ask = async (page, question) => {
  await page.getByRole('textbox', { name: 'Question' }).fill(question);
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
};
const answer = (page) => page.locator('.exchange').first();
const answered = (page) => answer(page).locator('.cost').waitFor();
// Lets the page hear from the server as slowly as over a bad line, so that a quick model's answer takes a while.
const slowly = async (page) => {
  const session = await page.context().newCDPSession(page);
  const line = { offline: false, latency: 0, downloadThroughput: 50_000, uploadThroughput: -1 };
  await session.send('Network.emulateNetworkConditions', line);
};
const valueOf = (page, term) => page.locator('.cost div').filter({ hasText: term }).locator('.value').innerText();

const TRUSTED = { provoked: ['TrustedScript', 'require-trusted-types-for'] };
check('the_page_is_its_own_files_and_nothing_else', TRUSTED, async (page, response) => {
  const headers = response.headers();
  const policy = headers['content-security-policy'];
  for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
    assert.ok(policy.includes(rule), policy);
  }
  const isRun = await page.evaluate(() => {
    const script = document.createElement('script');
    try {
      script.textContent = 'window.wasRun = true';
    } catch {
      return 'refused';
    }
    document.head.append(script);
    return window.wasRun;
  });
  assert.equal(isRun, 'refused', 'text does not become a script');
});

check('the_label_tells_who_signed_a_model_and_what_it_may_do', {}, async (page) => {
  const { models } = await page.evaluate(async () => (await fetch('ampoule/v1/models')).json());
  const facts = models.find((model) => model.name === 'tiny-vlm').loaded;
  const label = await page.getByRole('complementary', { name: 'Model label' }).innerText();
  for (const text of [
    'ampoule signed tiny-vlm', ...facts.signers, facts.manifest_sha256, facts.version, String(facts.release),
    'Write text', 'Classify pictures', 'No network, no files', '50 billion', '320 MiB', '5 s',
  ]) {
    assert.ok(label.includes(text), `${text} in ${label}`);
  }
  assert.equal(models.length, await page.locator('#model option').count());
});

check('a_picture_by_the_file_chooser_is_asked_about', {}, async (page) => {
  const chooser = page.waitForEvent('filechooser');
  await page.getByText('Add pictures').first().click();
  await (await chooser).setFiles(SHAPES);
  await page.getByRole('img', { name: 'shapes.png' }).waitFor();
  await ask(page, 'What do you see in the picture?');
  await answered(page);
  assert.equal(await answer(page).locator('.answer').innerText(), ANSWER);
  assert.match(await valueOf(page, 'Fuel'), /^\d+(\.\d+)? million$/);
  assert.match(await valueOf(page, 'Memory'), /MiB$/);
  assert.match(await valueOf(page, 'Sandbox time'), / m?s$/);
  assert.match(await valueOf(page, 'Tokens'), /^\d+ in, \d+ out$/);
  assert.ok((await spoken(page)).includes(ANSWER), 'the answer is read out');
  await isAccessible(page);
});

check('pictures_are_dropped_and_pasted_anywhere', {}, async (page) => {
  const give = (type, name) => page.evaluate(([type, name, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: 'image/png' }));
    const options = { bubbles: true, cancelable: true };
    const event = type === 'paste'
      ? new ClipboardEvent(type, { ...options, clipboardData: data })
      : new DragEvent(type, { ...options, dataTransfer: data });
    document.querySelector('h1').dispatchEvent(event);
    return event.defaultPrevented;
  }, [type, name, SHAPES_BASE64]);
  assert.ok(await give('dragover', 'over.png'));
  await page.locator('.pictures.over').waitFor();
  assert.ok(await give('drop', 'dropped.png'), 'the browser does not open the file');
  assert.ok(await give('paste', 'pasted.png'));
  const added = page.locator('#ask-pictures .thumbs img');
  assert.deepEqual(await added.evaluateAll((all) => all.map((image) => image.alt)), ['dropped.png', 'pasted.png']);
  await page.getByRole('button', { name: 'Remove dropped.png' }).click();
  assert.equal(await added.count(), 1);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Remove pasted.png');
  await ask(page, 'What do you see in the picture?');
  await answered(page);
  assert.equal(await answer(page).locator('.answer').innerText(), ANSWER);
});

check('an_answer_is_seen_while_it_is_written_and_is_stopped', { model: 'endless' }, async (page) => {
  await slowly(page);
  await ask(page, 'And?');
  const length = () => page.locator('.answer.going').evaluate((node) => node.textContent.length);
  await page.waitForFunction(() => document.querySelector('.answer.going')?.textContent.length > 0);
  const first = await length();
  await page.waitForFunction((first) => document.querySelector('.answer.going').textContent.length > first, first);
  await page.getByRole('button', { name: 'Stop' }).click();
  await answer(page).locator('.state', { hasText: 'Stopped.' }).waitFor();
  assert.equal(await page.locator('.answer.going, .error').count(), 0);
  assert.match(await page.locator('.answer').innerText(), /^(and )+/);
  assert.ok(await page.getByRole('button', { name: 'Stop' }).isDisabled());
  await ask(page, 'Again?');
  await page.waitForFunction(() => document.querySelector('.answer.going')?.textContent.length > 0);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelectorAll('.exchange').length === 2
    && !document.querySelector('.answer.going'));
});

check('an_error_is_shown_with_its_code_beside_what_came_before_it', { model: 'fails-midway' }, async (page) => {
  await ask(page, 'Go on');
  const alert = page.getByRole('alert').filter({ hasText: 'guest.error' });
  await alert.waitFor();
  assert.equal(await page.locator('.answer').innerText(), 'word word ');
  await isAccessible(page);
});

check('an_error_before_an_answer_is_shown_with_its_code', { model: 'never-returns', provoked: ['status of 422'] }, async (page) => {
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByRole('alert').filter({ hasText: 'limit.deadline' }).waitFor();
  assert.match(await page.locator('.error').innerText(), /Request [0-9a-f]{8,}/);
});

check('sentences_are_compared', { model: 'org/every-task' }, async (page) => {
  await page.getByRole('tab', { name: 'Compare' }).click();
  await page.getByLabel('Sentences').fill('a\n\nii\nb\n');
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.locator('#matrix .cost').waitFor();
  const rows = await page.locator('#matrix tbody tr').evaluateAll((rows) =>
    rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)));
  // The model counts letters modulo 8, and `a` and `i` are 8 apart.
  assert.deepEqual(rows, [['1.00', '1.00', '0.00'], ['1.00', '1.00', '0.00'], ['0.00', '0.00', '1.00']]);
  await page.getByText('Closest: 1 and 2, 1.00.', { exact: true }).waitFor();
  assert.equal(await valueOf(page, 'Vector'), '8 numbers');
  await isAccessible(page);
});

check('pictures_are_compared_and_classified', {}, async (page) => {
  await page.getByRole('tab', { name: 'Compare' }).click();
  assert.ok(await page.getByLabel('Sentences').isHidden(), 'this model embeds no texts');
  await page.setInputFiles('#compare-files', [SHAPES, `${PICTURES}/night.webp`, SHAPES]);
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByText('Closest: 1 and 3, 1.00.', { exact: true }).waitFor();
  await page.getByRole('tab', { name: 'Classify' }).click();
  await page.getByRole('button', { name: 'Classify' }).click();
  await page.getByText('Choose a picture first.').waitFor();
  await page.setInputFiles('#classify-file', SHAPES);
  await page.getByRole('button', { name: 'Classify' }).click();
  await page.locator('#labels .cost').waitFor();
  const labels = await page.locator('.bars li').allInnerTexts();
  assert.ok(labels.length === 5 && labels.some((label) => label.startsWith('circle')), String(labels));
  await isAccessible(page);
});

check('the_keyboard_alone_is_enough', { model: 'org/every-task' }, async (page) => {
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  await page.evaluate(() => document.activeElement.blur());
  const order = [];
  for (let step = 0; step < 8; step += 1) {
    await page.keyboard.press('Tab');
    order.push(await focused());
    const ring = await page.evaluate(() => {
      const node = document.activeElement;
      const shown = node.matches('input[type=file]') ? node.nextElementSibling : node;
      return getComputedStyle(shown).outlineStyle;
    });
    assert.notEqual(ring, 'none', `the focus is seen at ${order.at(-1)}`);
  }
  assert.deepEqual(order, ['Skip to the model', 'model', 'tab-ask', 'question', 'ask-files', 'Settings', 'Ask', 'Copy']);
  for (let step = 0; step < 4; step += 1) await page.keyboard.press('Shift+Tab');
  assert.equal(await focused(), 'question');
  await page.keyboard.type('one two three');
  await page.keyboard.press('Enter');
  await answered(page);
  assert.equal((await page.locator('.answer').innerText()).trim(), 'one two three');
  assert.equal(await focused(), 'question', 'the focus stays where the next question is written');
  await page.locator('#tab-ask').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), 'tab-compare');
  await page.getByRole('tabpanel', { name: 'Compare' }).waitFor();
  await page.keyboard.press('End');
  assert.equal(await focused(), 'tab-classify');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), 'tab-ask');
});

check('a_model_that_is_not_up_is_said_to_be_so', {}, async (page) => {
  await page.selectOption('#model', 'strange');
  await page.getByRole('status').filter({ hasText: 'strange could not be loaded' }).waitFor();
  assert.ok(await page.locator('#sheet').isHidden());
  await page.selectOption('#model', 'former');
  await page.getByRole('status').filter({ hasText: 'former is not trusted any more' }).waitFor();
  assert.deepEqual(await page.locator('#model option', { hasText: '(not trusted)' }).allTextContents(), [
    'former (not trusted)',
  ]);
  await isAccessible(page);
  await page.selectOption('#model', 'tiny-vlm');
  await page.getByRole('textbox', { name: 'Question' }).waitFor();
  assert.ok(await page.locator('#notice').isHidden());
});

check('the_label_is_that_of_the_release_that_answers', { model: 'changing' }, async (page) => {
  const summary = page.locator('#summary');
  assert.match(await summary.innerText(), /release\s1$/);
  renameSync(PLACE, `${PLACE}.old`);
  renameSync(NEWER, PLACE);
  for (const end = Date.now() + 30_000; !/release\s2$/.test(await summary.innerText());) {
    assert.ok(Date.now() < end, 'the newer release is shown');
    await ask(page, 'one');
    await answered(page);
  }
  const question = page.getByRole('textbox', { name: 'Question' });
  assert.equal(await question.inputValue(), 'one', 'a newer release takes nothing away');
});

check('an_answer_is_in_view_and_a_long_question_is_not_in_its_way', { model: 'org/every-task' }, async (page) => {
  await page.setViewportSize({ width: 1200, height: 560 });
  await ask(page, 'word '.repeat(2_000));
  await answered(page);
  assert.ok((await answer(page).getByRole('heading').innerText()).endsWith('(9,999 letters)'));
  const isSeen = await answer(page).locator('.cost').evaluate((node) => {
    const { top, bottom } = node.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  });
  assert.ok(isSeen);
});

check('markup_in_a_models_words_is_text', { model: 'org/every-task' }, async (page) => {
  const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
  assert.equal(await page.locator('#description').innerText(), markup);
  await ask(page, markup);
  await answered(page);
  assert.ok((await page.locator('.answer').innerText()).includes('<b>bold</b>'));
  assert.equal(await page.locator('main b, main img[src="x"], #spoken b').count(), 0);
  assert.equal(await page.title(), 'org/every-task · Ampoule');
});

check('a_request_is_copied_as_curl_and_as_python_that_work', {}, async (page) => {
  await page.setInputFiles('#ask-files', SHAPES);
  const question = "What do you see in the picture? $(touch a) `touch b` \"; touch c; \" '; touch d; ' \\'; touch e; ' it's";
  await ask(page, question);
  await answered(page);
  const shown = await page.locator('.answer').innerText();
  await page.getByText('This request as code').click();
  const copied = async (name) => {
    await page.getByRole('button', { name: `Copy the ${name} code` }).click();
    await page.getByText(`Copied the ${name} code`).waitFor({ state: 'attached' });
    return page.evaluate(() => navigator.clipboard.readText());
  };
  copyFileSync(SHAPES, `${TRAP}/shapes.png`);
  const options = { cwd: TRAP, encoding: 'utf8', timeout: 30_000 };
  const events = execFileSync('sh', ['-c', await copied('curl')], { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
  const pieces = events.split('\n').filter((line) => line.startsWith('data: ')).map((line) => JSON.parse(line.slice(6)));
  assert.equal(pieces.map((piece) => piece.text).join(''), shown);
  assert.ok(pieces.at(-1).sandboxes[0].fuel > 0);
  const python = execFileSync(PYTHON, ['-c', await copied('Python')], options);
  assert.equal(python, `${shown}\n`);
  assert.deepEqual(readdirSync(TRAP), ['shapes.png'], 'a question is no command');
});

for (const colorScheme of ['light', 'dark']) {
  check(`the_${colorScheme}_page_is_legible_and_fits_a_telephone`, { colorScheme, viewport: { width: 320, height: 640 } }, async (page) => {
    const light = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    assert.ok(colorScheme === 'dark' ? light.every((value) => value < 60) : light.every((value) => value > 200), String(light));
    await page.getByText('Settings').click();
    await isAccessible(page);
    await page.setInputFiles('#ask-files', SHAPES);
    await ask(page, 'What do you see in the picture?');
    await answered(page);
    await page.getByText('This request as code').click();
    const { inner, outer } = await page.evaluate(() => ({ inner: document.documentElement.scrollWidth, outer: innerWidth }));
    assert.ok(inner <= outer, `${inner} px wide in ${outer}`);
    await isAccessible(page);
  });
}

check('nothing_moves_for_those_who_ask_for_that', { model: 'endless', reducedMotion: 'reduce' }, async (page) => {
  await slowly(page);
  await ask(page, 'And?');
  await page.locator('.answer.going').waitFor();
  const animation = await page.locator('.answer').evaluate((node) => getComputedStyle(node, '::after').animationName);
  assert.equal(animation, 'none');
  await page.keyboard.press('Escape');
});

await run();
