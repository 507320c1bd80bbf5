// The `openai` package for JavaScript: responses, whole and streamed.

import assert from 'node:assert/strict';
import {
  BLOCKS, EVERY_TASK, FAILS_MIDWAY, PATIENCE, SILENCE, THINKS_FIRST, URL, check, raises, require, run,
} from './checks.mjs';

const OpenAI = require('openai');

const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: 'unused', maxRetries: 0 });

async function all(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const texts = (events) => events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta);

check('the_text_of_a_response_is_found', async () => {
  const response = await client.responses.create({ model: EVERY_TASK, input: 'one two three' });
  assert.equal(response.output_text, 'one two three');
  assert.equal(response.status, 'completed');
});

check('an_answer_goes_into_the_next_question', async () => {
  const input = [{ role: 'user', content: 'one two' }];
  const first = await client.responses.create({ model: EVERY_TASK, input });
  const second = await client.responses.create({ model: EVERY_TASK, input: [...input, ...first.output, { role: 'user', content: 'three' }] });
  assert.deepEqual([second.output_text, second.usage.input_tokens], ['three', 5]);
});

check('a_stream_has_every_event_in_order', async () => {
  const events = await all(await client.responses.create({ model: EVERY_TASK, input: 'one two', stream: true }));
  assert.deepEqual(events.map((event) => event.type.replace(/^response\./, '')), [
    'created', 'in_progress', 'output_item.added', 'content_part.added', 'output_text.delta', 'output_text.delta',
    'output_text.done', 'content_part.done', 'output_item.done', 'completed',
  ]);
  assert.deepEqual(texts(events), ['one ', 'two']);
});

check('the_helper_for_streams_finds_the_whole_response', async () => {
  const stream = client.responses.stream({ model: EVERY_TASK, input: 'one two three' });
  assert.deepEqual(texts(await all(stream)), ['one ', 'two ', 'three']);
  const final = await stream.finalResponse();
  assert.deepEqual([final.output_text, final.status, final.usage.output_tokens], ['one two three', 'completed', 3]);
});

check('a_response_that_was_cut_short_says_so', async () => {
  const asked = { model: EVERY_TASK, input: 'one two three', max_output_tokens: 2 };
  const whole = await client.responses.create(asked);
  assert.deepEqual([whole.status, whole.incomplete_details.reason], ['incomplete', 'max_output_tokens']);
  const events = await all(client.responses.stream(asked));
  assert.equal(events.at(-1).type, 'response.incomplete');
  assert.equal(texts(events).join(''), whole.output_text);
});

check('an_error_within_a_stream_is_raised', async () => {
  for (const [model, words] of [[FAILS_MIDWAY, /the model failed/], [BLOCKS, /deadline/]]) {
    const stream = await client.responses.create({ model, input: 'x', stream: true });
    const error = await raises(OpenAI.APIError, all(stream));
    assert.match(error.message, words);
    const helped = await raises(OpenAI.APIError, all(client.responses.stream({ model, input: 'x' })));
    assert.match(helped.message, words);
  }
});

check('silence_before_the_first_token_is_no_end', async () => { // S10
  const asked = { model: THINKS_FIRST, input: 'x', max_output_tokens: SILENCE };
  const final = await client.responses.stream(asked, { timeout: PATIENCE }).finalResponse();
  assert.deepEqual([final.output_text, final.status], ['late word', 'completed']);
});

check('a_refusal_is_a_status_also_for_a_stream', async () => {
  for (const stream of [false, true]) {
    const call = client.responses.create({ model: EVERY_TASK, input: 'x', previous_response_id: 'resp_1', stream });
    const error = await raises(OpenAI.BadRequestError, call);
    assert.deepEqual([error.param, error.code], ['previous_response_id', 'input.unsupported']);
  }
});

await run();
