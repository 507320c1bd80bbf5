// The `openai` package for JavaScript: conversations and completions, whole and streamed.

import assert from 'node:assert/strict';
import {
  BLOCKS, EVERY_TASK, FAILS_MIDWAY, PATIENCE, SILENCE, THINKS_FIRST, URL, check, raises, require, run,
} from './checks.mjs';

const OpenAI = require('openai');

const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: 'unused', timeout: 60_000 });
const WORDS = 'a woman 👩‍👩‍👧 said 你好 and naïve words';

function chat(more = {}) {
  const messages = [{ role: 'user', content: WORDS }];
  return client.chat.completions.create({ model: EVERY_TASK, messages, ...more });
}

/// Reads a stream to its end, into `chunks` so that they stay when it fails.
async function read(stream, chunks = []) {
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

check('an_answer_is_whole', async () => {
  const answer = await chat();
  assert.equal(answer.choices[0].message.content, WORDS);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

check('a_stream_is_the_whole_answer', async () => { // S01, S03, S05, S11
  const chunks = await read(chat({ stream: true }));
  assert.equal(textOf(chunks), WORDS);
  assert.deepEqual(chunks[0].choices[0].delta, { role: 'assistant', content: '' });
  assert.deepEqual(chunks.at(-1).choices[0].delta, {});
  assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && chunk.usage == null));
  assert.equal(new Set(chunks.map(({ id, model, created }) => `${id} ${model} ${created}`)).size, 1);
});

check('the_usage_comes_once_and_last_where_it_is_asked_for', async () => { // S02
  const chunks = await read(chat({ stream: true, stream_options: { include_usage: true } }));
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.completion_tokens > 0);
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage == null));
});

check('the_packages_own_accumulator_takes_a_stream', async () => { // S04
  const messages = [{ role: 'user', content: WORDS }];
  const runner = client.chat.completions.stream({ model: EVERY_TASK, messages });
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.role, 'assistant');
  assert.equal(final.choices[0].message.content, WORDS);
});

check('a_failure_in_the_middle_of_a_stream_is_thrown', async () => { // S07
  const chunks = [];
  const error = await raises(OpenAI.APIError, read(chat({ model: FAILS_MIDWAY, stream: true }), chunks));
  assert.equal(textOf(chunks), 'word word ');
  assert.equal(error.code, 'guest.error');
  assert.ok(error.message);
});

check('what_is_known_before_the_first_token_is_a_status', async () => { // S08
  await raises(OpenAI.NotFoundError, chat({ model: 'gpt-5', stream: true }));
  const error = await raises(OpenAI.BadRequestError, chat({ temperature: -1, stream: true }));
  assert.equal(error.param, 'temperature');
});

check('silence_is_filled_with_parts_that_change_nothing', async () => { // S10
  const chunks = [];
  const error = await raises(OpenAI.APIError, read(chat({ model: BLOCKS, stream: true }), chunks));
  assert.equal(error.code, 'limit.deadline');
  assert.equal(textOf(chunks), 'once ');
  assert.ok(chunks.slice(2).filter((chunk) => chunk.choices[0].delta.content === '').length >= 2);
});

check('silence_before_the_first_token_is_no_end', async () => { // S10
  const patient = client.withOptions({ timeout: PATIENCE, maxRetries: 0 });
  const asked = { model: THINKS_FIRST, max_tokens: SILENCE, stream: true };
  const messages = [{ role: 'user', content: 'x' }];
  const chunks = await read(patient.chat.completions.create({ ...asked, messages }));
  assert.equal(textOf(chunks), 'late word');
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

check('completions_are_whole_and_streamed', async () => { // Q07
  const asked = { model: EVERY_TASK, prompt: 'one two three', stop: 'wo thr' };
  const whole = await client.completions.create(asked);
  assert.equal(whole.choices[0].text, 'one t');
  const chunks = await read(client.completions.create({ ...asked, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(''), 'one t');
});

await run();
