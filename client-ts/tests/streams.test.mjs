// Streams: six endings, told apart in every way that the SDK offers to read one.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { watch } from "claxon";
import { captureEvents } from "claxon/testing";

import { ARGUMENTS, clientOf, playing, readStream, SOON, startApi, WAYS } from "./support/api.mjs";
import { CASES, ENDING_FIELDS, fieldsOf, rowOf } from "./support/cases.mjs";

const STREAMED = { ...ARGUMENTS, stream: true };

let api;
let client;
let capture;
before(async () => {
  api = await startApi();
  client = watch(clientOf(api.url), { url: "" });
});
after(() => api.close());
beforeEach(() => (capture = captureEvents()));
afterEach(() => capture.close());

for (const way of WAYS) {
  for (const [name, { steps, event: expected }] of Object.entries(CASES.endings)) {
    test(`a stream makes one event that says how it ended: ${way}, ${name}`, async () => {
      await readStream(client, way, steps).catch(() => null);

      assert.equal(capture.events.length, 1);
      const [event] = capture.events;
      assert.deepEqual(fieldsOf(event, ENDING_FIELDS), rowOf(CASES.ending_fields, expected));
      assert.deepEqual([event.status, event.attempt, event.final, event.exhausted], [200, 1, true, false]);
    });
  }
}

test("a stream counts its tokens once, and its first token", async () => {
  await readStream(client, "create", "200");

  const [event] = capture.events;
  assert.deepEqual([event.input_tokens, event.output_tokens], [10, 12]);
  assert.deepEqual([event.cache_read_tokens, event.cache_write_tokens], [7, 3]);
  assert.equal(event.stop_reason, "end_turn");
  assert.ok(event.time_to_first_token_ms > 0 && event.time_to_first_token_ms <= event.duration_ms);
});

test("a stream that was cut still says what went in", async () => {
  await readStream(client, "create", "stream-end");

  assert.deepEqual([capture.events[0].input_tokens, capture.events[0].output_tokens], [10, undefined]);
});

test("a refused stream is a success with its reason", async () => {
  await readStream(client, "create", "refusal");

  assert.deepEqual([capture.events[0].error_type, capture.events[0].stop_reason], [undefined, "refusal"]);
});

test("errors before a stream begins are attempts like others", async () => {
  await readStream(client, "create", `529:${SOON},429:${SOON};error_code=ramp_limit_exceeded,200`);

  const events = [...(await capture.settled())].sort((one, other) => one.attempt - other.attempt);
  assert.deepEqual(events.map((event) => [event.status, event.final, event.stream_end, event.error_code]), [
    [529, false, undefined, undefined],
    [429, false, undefined, "ramp_limit_exceeded"],
    [200, true, "complete", undefined],
  ]);
});

test("a stream that the app leaves is no error", async () => {
  for await (const _ of await client.messages.create(STREAMED, playing("stream-hang"))) break;

  const [event] = capture.events;
  assert.deepEqual([event.stream_end, event.error_type], ["closed", undefined]);
});

test("a stream that the app aborts is a cancellation", async () => {
  const stream = await client.messages.create(STREAMED, playing("stream-hang"));
  setTimeout(() => stream.controller.abort(), 50);
  for await (const _ of stream);

  const [event] = capture.events;
  assert.deepEqual([event.stream_end, event.error_type], ["closed", "cancelled"]);
});

test("a stream that the app drops is told by the garbage collector", async () => {
  await (async () => void (await client.messages.create(STREAMED, playing("200"))))();

  for (let turn = 0; turn < 50 && capture.events.length === 0; turn++) {
    globalThis.gc();
    await sleep(10);
  }
  assert.deepEqual(capture.events.map((event) => event.stream_end), ["dropped"]);
});

test("a page instead of a stream is no success", async () => {
  await readStream(client, "create", "html");

  const [event] = capture.events;
  assert.deepEqual([event.error_type, event.final], ["non_json_response", true]);
});

test("the bytes of a stream pass untouched, and are not read ahead of the app", async () => {
  const withoutId = (text) => text.replace(/msg_\w+/, "");
  const response = await client.messages.create(STREAMED, playing("200")).asResponse();
  const plain = await fetch(`${api.url}/v1/messages`, { method: "POST", body: JSON.stringify(STREAMED) });

  assert.equal(capture.events.length, 0);
  assert.equal(response.bodyUsed, false);
  const chunks = [];
  for await (const chunk of response.body) chunks.push(chunk);
  assert.equal(withoutId(Buffer.concat(chunks).toString()), withoutId(await plain.text()));
  assert.equal(response.bodyUsed, true);
  assert.equal(response.url, `${api.url}/v1/messages`);
  assert.equal(capture.events[0].stream_end, "complete");
});

test("a response can be passed on, cloned, and read into the app's own buffer", async () => {
  const passed = new Response((await client.messages.create(STREAMED, playing("200")).asResponse()).body);
  assert.match(await passed.text(), /message_stop/);

  const whole = await client.messages.create(STREAMED, playing("200")).asResponse();
  const copy = whole.clone();
  assert.equal(await copy.text(), await whole.text());

  const own = (await client.messages.create(STREAMED, playing("200")).asResponse()).body.getReader({ mode: "byob" });
  assert.equal((await own.read(new Uint8Array(8))).value.length, 8);
  await own.cancel();

  assert.deepEqual(capture.events.map((event) => event.stream_end), ["complete", "complete", undefined]);
});

test("answers that are read in other ways still tell their usage", async () => {
  const read = (how) => client.messages.create(ARGUMENTS).asResponse().then(how);
  await read((response) => response.json());
  await read((response) => response.text());
  await read((response) => response.arrayBuffer());
  await read(async (response) => {
    for await (const _ of response.body);
  });
  await read((response) => response.blob());

  assert.deepEqual(capture.events.map((event) => event.output_tokens), [5, 5, 5, 5, undefined]);
});
