// From the app to the service: batches, patience, and what is given up and told.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { context as otel, trace } from "@opentelemetry/api";
import { context, flush, shutdown, stats, watch } from "claxon";
import { AsyncLocalStorage } from "node:async_hooks";

import { ask, clientOf, PROMPT, startApi } from "./support/api.mjs";
import { startIngest } from "./support/ingest.mjs";

const HOUR = 3600;

let api;
let ingest;
before(async () => (api = await startApi()));
after(() => api.close());
beforeEach(async () => (ingest = await startIngest()));
afterEach(async () => {
  ingest.script.length = 0;
  await shutdown(0.01);
  ingest.close();
});

/** Return a watched client; each has a queue of its own. */
const shipping = (settings = {}) =>
  watch(clientOf(api.url, { maxRetries: 0 }), { url: ingest.url, key: "k-1", app: "shop", backoffS: 0.01, intervalS: HOUR, ...settings });

async function calls(client, count, steps = "200") {
  for (let call = 0; call < count; call++) await ask(client, steps);
}

test("a batch is JSON, compressed where that is worth it, with the key and an idempotency key", async () => {
  const client = shipping();

  await calls(client, 5);
  assert.equal(await flush(), true);

  const [post] = ingest.posts;
  assert.equal(post.path, "/v1/events");
  assert.equal(post.headers.authorization, "Bearer k-1");
  assert.equal(post.headers["content-type"], "application/json");
  assert.equal(post.headers["content-encoding"], "gzip");
  assert.match(post.headers["user-agent"], /^claxon-typescript\/\d/);
  assert.match(post.headers["idempotency-key"], /^[0-9a-f]{32}$/);
  assert.equal(post.headers["claxon-client-dropped"], undefined);
  assert.deepEqual(post.events.map((event) => event.app), Array(5).fill("shop"));
  assert.ok(!JSON.stringify(post.events).includes(PROMPT));
  assert.equal(stats().sent, 5);
});

test("a small batch is sent as it is", async () => {
  await calls(shipping(), 1);
  await flush();

  assert.equal(ingest.posts[0].headers["content-encoding"], undefined);
  assert.equal(ingest.posts[0].events.length, 1);
});

test("an error is sent at once, a success waits for its interval or a full batch", async () => {
  const client = shipping({ batchSize: 3 });

  await calls(client, 2);
  await sleep(50);
  assert.equal(ingest.posts.length, 0);
  await ask(client, "401");
  await ingest.waitForPosts(1);
  assert.deepEqual(ingest.events.map((event) => event.status), [200, 200, 401]);

  await calls(client, 7);
  await ingest.waitForPosts(3);
  await flush();
  assert.equal(ingest.events.length, 10);
  assert.ok(ingest.posts.every((post) => post.events.length <= 3));
});

test("a success is sent after its interval", async () => {
  await calls(shipping({ intervalS: 0.05 }), 1);

  await ingest.waitForPosts(1);
});

test("a batch is tried again with the same bytes and key, and is counted once", async () => {
  ingest.script.push({ status: 503 }, { reset: true }, { status: 500 });
  await calls(shipping(), 3);

  assert.equal(await flush(), true);

  assert.equal(ingest.posts.length, 4);
  assert.equal(new Set(ingest.posts.map((post) => post.headers["idempotency-key"])).size, 1);
  assert.equal(new Set(ingest.posts.map((post) => post.body.toString("hex"))).size, 1);
  assert.deepEqual([stats().sent, stats().batches, stats().retries], [3, 1, 3]);
});

test("Retry-After is obeyed, also by a flush", async () => {
  ingest.script.push({ status: 429, headers: { "retry-after": "0.3" } });
  const client = shipping();
  await ask(client, "401");
  await ingest.waitForPosts(1);

  assert.equal(await flush(), true);

  assert.ok(ingest.posts[1].at - ingest.posts[0].at >= 290);
});

test("a batch that is refused is dropped, and the next one tells of it", async () => {
  ingest.script.push({ status: 401, body: "no such key" });
  const client = shipping();
  await calls(client, 2);
  await flush();
  await calls(client, 1);
  await flush();
  await calls(client, 1);
  await flush();

  assert.deepEqual(stats().dropped, { refused: 2 });
  assert.deepEqual(ingest.posts.map((post) => post.headers["claxon-client-dropped"]), [undefined, "2", undefined]);
});

test("a redirect is not followed: the key goes to nobody else", async () => {
  ingest.script.push({ status: 307, headers: { location: "/elsewhere" } });
  await calls(shipping(), 1);
  await flush();

  assert.deepEqual(ingest.posts.map((post) => post.path), ["/v1/events"]);
  assert.deepEqual(stats().dropped, { refused: 1 });
});

test("events that the service rejects one by one are counted", async () => {
  ingest.script.push({ body: JSON.stringify({ accepted: 1, rejected: [{ index: 1, error: "model: x: y" }] }) });
  await calls(shipping(), 2);
  await flush();

  assert.deepEqual([stats().sent, stats().rejected], [1, 1]);
});

test("while the service is away the queue is bounded, errors are the last to go, and the loss is told", async () => {
  ingest.script.push(...Array(200).fill({ status: 503 }));
  const client = shipping({ queueSize: 6, batchSize: 2, backoffS: 0.005 });

  await calls(client, 3, "401");
  await calls(client, 10);
  await calls(client, 3, "401");
  await sleep(100);
  ingest.script.length = 0;
  assert.equal(await flush(), true);

  const arrived = ingest.posts.slice(-4).flatMap((post) => post.events);
  const kept = new Map(arrived.map((event) => [event.request_id, event.status]));
  assert.equal([...kept.values()].filter((status) => status === 401).length, 6);
  const { sent, dropped } = stats();
  assert.equal(sent + dropped.queue_full, 16);
  const told = ingest.posts.reduce((sum, post, at) => sum + (at < ingest.posts.length - 4 ? 0 : Number(post.headers["claxon-client-dropped"] ?? 0)), 0);
  assert.equal(told, dropped.queue_full);
});

test("a call never waits for a service that keeps silent", async () => {
  ingest.script.push({ hang: true });
  const client = shipping();
  await ask(client, "401");
  await ingest.waitForPosts(1);

  const begun = performance.now();
  await calls(client, 5);
  assert.ok(performance.now() - begun < 500);

  const flushed = performance.now();
  assert.equal(await flush(0.1), false);
  assert.ok(performance.now() - flushed < 500);
  assert.equal(stats().queued, 6);
});

test("what comes after the shutdown is counted, and the next watch() begins anew", async () => {
  const client = shipping();
  await calls(client, 1);
  assert.equal(await shutdown(), true);
  await calls(client, 1);

  assert.equal(ingest.events.length, 1);
  assert.deepEqual(stats().dropped, { shutdown: 1 });
  await calls(shipping(), 1);
  assert.equal(await flush(), true);
  assert.equal(ingest.events.length, 2);
});

test("a shutdown gives up at the first failure, and says what was lost", async () => {
  ingest.script.push({ status: 503 });
  await calls(shipping(), 3);

  assert.equal(await shutdown(), false);

  assert.equal(ingest.posts.length, 1);
  assert.deepEqual(stats().dropped, { shutdown: 3 });
});

test("an address of nothing ships nothing, and false makes watch() inert", async () => {
  const client = clientOf(api.url);

  assert.equal(watch(client, { enabled: false }), client);
  await calls(watch(client, { url: "", batchSize: 1 }), 2);
  await flush();

  assert.equal(stats().queued, 0);
  assert.equal(ingest.posts.length, 0);
});

test("events carry the ids of the app's span, and shipping is outside of every context of the app's", async () => {
  const storage = new AsyncLocalStorage();
  const inside = [];
  const suppressed = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");
  const manager = {
    active: () => storage.getStore() ?? root,
    with(given, run, self, ...more) {
      if (given.getValue(suppressed)) inside.push(storage.getStore());
      return storage.run(given, () => run.apply(self, more));
    },
    bind: (_, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  const root = otel.active();
  otel.setGlobalContextManager(manager);
  try {
    const ids = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
    const client = shipping({ intervalS: 0.01 });
    await otel.with(trace.setSpan(otel.active(), trace.wrapSpanContext(ids)), () => calls(client, 1));
    await ingest.waitForPosts(1);

    assert.deepEqual([ingest.events[0].trace_id, ingest.events[0].span_id], [ids.traceId, ids.spanId]);
    assert.deepEqual(inside, [undefined]);
  } finally {
    otel.disable();
  }
});

test("a fault of the app's own objects costs an attribute, never a call", async () => {
  const odd = { toString: () => assert.fail("the app's") };

  const error = await context({ path: "p", attributes: { odd, even: 2 } }, () => ask(shipping(), "200"));
  await flush();

  assert.equal(error, null);
  assert.deepEqual(ingest.events[0].attributes, { even: "2" });
});
