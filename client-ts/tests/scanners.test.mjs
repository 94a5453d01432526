// What is read from bytes that pass, in whatever slices they come.
import assert from "node:assert/strict";
import { test } from "node:test";

import { askedIn, routeOf } from "../dist/esm/requests.js";
import { cleanMessage } from "../dist/esm/recording.js";
import { retryAfterS, retryableError, retryableResponse } from "../dist/esm/retries.js";
import { BOUND, EventScanner, scannerFor } from "../dist/esm/scanners.js";

const bytes = (text) => new TextEncoder().encode(text);

const STREAM = [
  ["message_start", { type: "message_start", message: { usage: { input_tokens: 10, output_tokens: 1 } } }],
  ["content_block_delta", { type: "content_block_delta", delta: { text: 'né"event: error\\n\\n' } }],
  ["message_delta", { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 12 } }],
  ["message_stop", { type: "message_stop" }],
].map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);

for (const size of [1, 2, 3, 7, 64, 10_000]) {
  for (const newline of ["\n", "\r\n"]) {
    test(`a stream says the same in slices of ${size}, with ${JSON.stringify(newline)}`, () => {
      const body = bytes(STREAM.join("").replaceAll("\n", newline));
      const scanner = new EventScanner();

      for (let at = 0; at < body.length; at += size) scanner.feed(body.subarray(at, at + size));
      scanner.finish();

      assert.deepEqual([scanner.done, scanner.off, scanner.stopReason], [true, false, "end_turn"]);
      assert.deepEqual([scanner.usage.inputTokens, scanner.usage.outputTokens], [10, 12]);
      assert.ok(scanner.firstToken > 0);
    });
  }
}

test("what is kept of a stream is bounded, and content is not kept at all", () => {
  const scanner = new EventScanner();
  scanner.feed(bytes(`event: content_block_delta\ndata: "${"x".repeat(2 * BOUND)}`));
  scanner.feed(bytes('"\n\n' + STREAM.join("")));
  assert.deepEqual([scanner.off, scanner.done], [false, true]);

  const endless = new EventScanner();
  endless.feed(bytes(`event: message_start\ndata: "${"x".repeat(2 * BOUND)}`));
  assert.equal(endless.off, true);
});

test("a body in an encoding that nobody has undone is not called truncated", () => {
  const headers = { "content-type": "text/event-stream", "content-encoding": "gzip" };
  const scanner = scannerFor(new Headers(headers));
  scanner.feed(new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0]));
  scanner.finish();
  assert.equal(scanner.off, true);

  const undone = scannerFor(new Headers(headers));
  undone.feed(bytes(STREAM[0]));
  undone.finish();
  assert.equal(undone.off, false);
});

for (const [body, model, tokens] of [
  ['{"model":"m","max_tokens":5}', "m", 5],
  ['{"messages":[{"content":"\\"model\\":\\"no\\" \\\\"}],"max_tokens":7,"model":"m\\u0065"}', "me", 7],
  ['{"tools":[{"model":"no","max_tokens":1}],"model":"m"}', "m", null],
  ['{"max_tokens":1.5,"model":5}', null, null],
  ['{"model":"m"', "m", null],
  ['{"a":"unclosed', null, null],
  ["[1]", null, null],
  ["", null, null],
  [undefined, null, null],
  [new Uint8Array(3), null, null],
]) {
  test(`a body asks for what its outermost object says: ${String(body).slice(0, 50)}`, () => {
    assert.deepEqual(askedIn(body), { model, tokens });
  });
}

for (const [path, route] of [
  ["/v1/messages", "/v1/messages"],
  ["/v1/messages?beta=true", "/v1/messages"],
  ["https://api.example/v1/messages?x=1", "/v1/messages"],
  ["/v1/messages/count_tokens", "/v1/messages/count_tokens"],
  ["/v1/messages/batches/msgbatch_01A/results", "/v1/messages/batches/{message_batch_id}/results"],
  ["/v1/files/file_011CN/content?beta=true", "/v1/files/{file_id}/content"],
  ["/v1/models/claude-opus-4-5", "/v1/models/{model_id}"],
  ["/v1/memory_stores/ms_1/memories/mem_2", "/v1/memory_stores/{memory_store_id}/memories/{memory_id}"],
  ["/v1/skills/skill_1/versions/1759", "/v1/skills/{skill_id}/versions/{version}"],
  ["/v1/environments/env_1/work/poll", "/v1/environments/{environment_id}/work/poll"],
]) {
  test(`an address has its route: ${path}`, () => assert.equal(routeOf(path), route));
}

test("whether the SDK tries again is decided as the SDK decides it", () => {
  const says = (value) => new Headers(value === undefined ? {} : { "x-should-retry": value });
  for (const status of [408, 409, 429, 500, 503, 529]) assert.equal(retryableResponse(status, says()), true);
  for (const status of [400, 401, 403, 404, 413, 422]) assert.equal(retryableResponse(status, says()), false);
  assert.equal(retryableResponse(400, says("true")), true);
  assert.equal(retryableResponse(500, says("false")), false);
  assert.equal(retryableError(new Error("anything that fetch throws"), false), true);
  assert.equal(retryableError(new Error("a platform's own"), true), false);
  assert.equal(retryableError(new Error("x", { cause: new TypeError("fetch failed", { cause: 1 }) }), true), true);
  assert.equal(retryableError(Object.assign(new Error("x"), { name: "AbortError" }), true), true);
});

test("a date is a retry-after too, and one that no timer can wait for is the SDK's own choice", () => {
  const now = Date.UTC(2026, 10, 25);
  const after = (value) => retryAfterS(new Headers({ "retry-after": value }), now);
  assert.equal(after(new Date(now + 90_000).toUTCString()), 90);
  assert.equal(after(new Date(now - 90_000).toUTCString()), null);
  assert.equal(after("2147483"), 2147483);
  assert.equal(after("2147484"), null);
});

test("a message is cut in one piece, and is one line", () => {
  assert.equal(cleanMessage("a\n\tb\u2028c"), "a b c");
  assert.equal(cleanMessage(`${"x".repeat(499)}😀`), "x".repeat(499));
});
