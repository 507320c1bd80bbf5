// The `openai` package for JavaScript.

import assert from 'node:assert/strict';
import {
  EVERY_TASK, SLASHED, TOO_LARGE, TRAPS, URL, check, close, histogram, raises, require, run,
} from './checks.mjs';

const OpenAI = require('openai');

const sent = [];
const client = new OpenAI({
  baseURL: `${URL}/v1`,
  apiKey: 'unused',
  fetch: (url, init) => {
    sent.push({ url: String(url), body: init?.body });
    return fetch(url, init);
  },
});

check('vectors_that_are_asked_for_in_base64_are_the_right_ones', async () => { // E02
  const input = ['The cat sat.', 'Zwei Hunde – 犬', ''];
  const answer = await client.embeddings.create({ model: EVERY_TASK, input });
  assert.match(sent.at(-1).body, /"encoding_format":"base64"/);
  input.forEach((text, i) => close(answer.data[i].embedding, histogram(text)));
  const numbers = await client.embeddings.create({ model: EVERY_TASK, input, encoding_format: 'float' });
  numbers.data.forEach((item, i) => close(answer.data[i].embedding, item.embedding));
});

check('a_thousand_texts_keep_their_order', async () => { // E05
  const input = Array.from({ length: 1000 }, (_, i) => `text ${i}`);
  const answer = await client.embeddings.create({ model: EVERY_TASK, input });
  assert.equal(answer.data.length, 1000);
  answer.data.forEach((item, i) => {
    assert.equal(item.index, i);
    close(item.embedding, histogram(input[i]));
  });
});

check('a_refusal_in_the_middle_of_an_upload_is_seen', async () => { // T05
  const before = sent.length;
  const call = client.embeddings.create({ model: EVERY_TASK, input: 'x'.repeat(TOO_LARGE) });
  const error = await raises(OpenAI.APIError, call);
  assert.deepEqual([error.status, error.code, sent.length - before], [413, 'input.body-too-large', 1]);
});

check('no_texts_are_an_error_of_the_caller', async () => { // E06
  const error = await raises(OpenAI.BadRequestError, client.embeddings.create({ model: EVERY_TASK, input: [] }));
  assert.equal(error.param, 'input');
});

check('errors_have_a_message_a_code_a_type_and_an_id', async () => { // T01
  const call = client.embeddings.create({ model: 'gpt-5', input: 'x' });
  const error = await raises(OpenAI.NotFoundError, call);
  assert.deepEqual([error.status, error.code, error.type, error.param], [404, 'model_not_found', 'invalid_request_error', 'model']);
  assert.match(error.message, /not found/);
  assert.ok(error.requestID);
  const route = await raises(OpenAI.NotFoundError, client.files.list());
  assert.equal(route.code, 'route.unknown');
  assert.ok(route.requestID);
});

check('failures_that_would_fail_again_are_not_repeated', async () => { // T02
  const before = sent.length;
  const error = await raises(OpenAI.APIError, client.embeddings.create({ model: TRAPS, input: 'x' }));
  assert.equal(error.code, 'guest.trap');
  assert.equal(sent.length - before, 1);
});

check('models_are_listed_and_found_by_name', async () => { // T12
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes(EVERY_TASK) && names.includes(SLASHED), names.join());
  const model = await client.models.retrieve(EVERY_TASK);
  assert.deepEqual([model.id, model.object], [EVERY_TASK, 'model']);
});

check('a_name_with_a_slash_is_one_name', async () => { // T11
  const model = await client.models.retrieve(SLASHED);
  assert.equal(model.id, SLASHED);
  assert.match(sent.at(-1).url, /acme%2Fevery-task$/);
});

check('an_address_that_ends_in_a_slash_works', async () => { // T10
  for (const baseURL of [`${URL}/v1/`, `${URL}//v1/`, `${URL}/v1//`]) {
    const own = new OpenAI({ baseURL, apiKey: 'unused' });
    assert.equal((await own.models.retrieve(EVERY_TASK)).id, EVERY_TASK);
  }
});

await run();
