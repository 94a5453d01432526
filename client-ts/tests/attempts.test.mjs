// One event per attempt, with what became of it: the cases that the Python client is tested with.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import { context, instrument, middleware, uninstrument, watch } from "claxon";
import { captureEvents } from "claxon/testing";

import { ARGUMENTS, ask, clientOf, MODEL, playing, PROMPT, startApi } from "./support/api.mjs";
import { ATTEMPT_FIELDS, CASES, fieldsOf, rowOf } from "./support/cases.mjs";

let api;
let capture;
before(async () => (api = await startApi()));
after(() => api.close());
beforeEach(() => (capture = captureEvents()));
afterEach(() => {
  capture.close();
  uninstrument();
});

/** Each makes a client that is observed. */
const OBSERVED = {
  watched: (options) => watch(clientOf(api.url, options), { url: "" }),
  instrumented: (options) => {
    const made = clientOf(api.url, options);
    instrument({ url: "" });
    return made;
  },
  "watched and instrumented": (options) => {
    instrument({ url: "" });
    return watch(clientOf(api.url, options));
  },
};

async function eventsOf(rows) {
  const events = [...(await capture.settled())].sort((one, other) => one.attempt - other.attempt);
  assert.equal(new Set(events.map((event) => event.call_id)).size, 1);
  assert.deepEqual(
    events.map((event) => fieldsOf(event, ATTEMPT_FIELDS)),
    rows.map((row) => rowOf(CASES.attempt_fields, row)),
  );
  return events;
}

for (const [kind, observed] of Object.entries(OBSERVED)) {
  describe(`each attempt of a client that is ${kind} makes one event that says how it ended`, () => {
    for (const [name, { steps, events }] of Object.entries(CASES.attempts)) {
      test(name, async () => {
        await ask(observed(), steps);

        const made = await eventsOf(events);
        assert.deepEqual(new Set(made.map((event) => event.max_attempts)), new Set([3]));
      });
    }
    for (const [name, { steps, events }] of Object.entries(CASES.unanswered)) {
      test(name, async () => {
        const error = await ask(observed({ maxRetries: 0, timeout: 50 }), steps);

        assert.ok(error instanceof Anthropic.APIConnectionError);
        const [event] = await eventsOf(events);
        assert.equal(event.max_attempts, 1);
      });
    }
  });
}

test("the middleware alone makes the same attempts, and leaves to the service which was the last", async () => {
  const client = clientOf(api.url, { middleware: [middleware] });

  await ask(client, "529:retry_after_ms=1,200");

  const [first, second] = await capture.settled();
  assert.deepEqual([first.attempt, first.final, first.max_attempts], [1, undefined, undefined]);
  assert.deepEqual([second.attempt, second.final, second.call_id], [2, true, first.call_id]);
});

test("a connection that is reset is tried again", async () => {
  const error = await ask(watch(clientOf(api.url, { maxRetries: 1 })), "reset,200");

  assert.equal(error, null);
  const events = await capture.settled();
  assert.deepEqual(events.map((event) => [event.error_type, event.final]), [["APIConnectionError", false], [undefined, true]]);
});

test("the retries of one call outrank those of its client", async () => {
  await ask(watch(clientOf(api.url)), "529:retry_after_ms=1", { maxRetries: 1 });
  await ask(watch(clientOf(api.url)).withOptions({ maxRetries: 0 }), "529");

  const events = await capture.settled();
  assert.deepEqual(events.map((event) => [event.attempt, event.max_attempts, event.exhausted]), [
    [1, 2, false],
    [2, 2, true],
    [1, 1, true],
  ]);
});

test("an event carries what the request and the answer say, and nothing of their content", async () => {
  const message = await watch(clientOf(api.url)).messages.create(ARGUMENTS);

  const [event] = await capture.settled();
  assert.deepEqual([event.model, event.path, event.app, event.environment], [MODEL, "/v1/messages", undefined, undefined]);
  assert.deepEqual([event.tokens, event.input_tokens, event.output_tokens], [64, 10, 5]);
  assert.deepEqual([event.cache_read_tokens, event.cache_write_tokens], [7, 3]);
  assert.equal(event.stop_reason, "end_turn");
  assert.equal(event.request_id, message._request_id);
  assert.ok(event.duration_ms > 0 && event.duration_ms < 5000);
  const sent = JSON.stringify(event);
  assert.ok(!sent.includes(PROMPT) && !sent.includes("Hello!") && !sent.includes("sk-ant"));
});

test("rate-limit headers become numbers and instants", async () => {
  await ask(watch(clientOf(api.url)), "200:remaining=0.5");

  const [{ ratelimit }] = await capture.settled();
  assert.deepEqual([ratelimit.requests_limit, ratelimit.requests_remaining], [50, 25]);
  assert.deepEqual([ratelimit.input_tokens_limit, ratelimit.input_tokens_remaining], [30_000, 15_000]);
  assert.deepEqual([ratelimit.output_tokens_remaining, ratelimit.tokens_remaining], [4_000, 19_000]);
  assert.match(ratelimit.tokens_reset, /Z$/);
});

for (const [header, seconds] of [
  ["retry_after_ms=7", 0.007],
  ["retry_after=0.01", 0.01],
  ["retry_after=soon", undefined],
  ["retry_after=-5", undefined],
  ["", undefined],
]) {
  test(`retry_after_s is what the SDK will sleep: '${header}'`, async () => {
    await ask(watch(clientOf(api.url, { maxRetries: 1 })), `429:${header},200`);

    const [first] = await capture.settled();
    assert.equal(first.retry_after_s, seconds);
  });
}

test("after the last attempt there is no sleep to report", async () => {
  await ask(watch(clientOf(api.url, { maxRetries: 0 })), "429:retry_after=30");

  const [event] = await capture.settled();
  assert.equal(event.retry_after_s, undefined);
});

test("the usage limit that is told in words becomes a code, and the words stay here", async () => {
  await ask(watch(clientOf(api.url)), "400:message=You have reached your specified API usage limits. Wait for December.");

  const [event] = await capture.settled();
  assert.deepEqual([event.error_code, event.error_message], ["usage_limit_reached", undefined]);
});

test("a key in an error's message is blotted out", async () => {
  await ask(watch(clientOf(api.url)), "400:message=no such key sk-ant-api03-abc_DEF here");

  const [event] = await capture.settled();
  assert.equal(event.error_message, "no such key sk-ant-*** here");
});

test("other resources make events too, and an id in the address is no path of its own", async () => {
  const client = watch(clientOf(api.url));

  await client.messages.countTokens({ model: MODEL, messages: ARGUMENTS.messages });
  await client.models.list();
  await client.beta.messages.create(ARGUMENTS);
  await client.post("/v1/messages?x=1", { body: ARGUMENTS });
  await client.messages.batches.retrieve("msgbatch_123").catch(() => null);

  const events = await capture.settled();
  assert.deepEqual(events.map((event) => [event.path, event.model, event.error_type]), [
    ["/v1/messages/count_tokens", MODEL, undefined],
    ["/v1/models", "none", undefined],
    ["/v1/messages", MODEL, undefined],
    ["/v1/messages", MODEL, undefined],
    ["/v1/messages/batches/{message_batch_id}", "none", undefined],
  ]);
});

test("a call without credentials was never sent, and is reported", async () => {
  const client = watch(new Anthropic({ apiKey: null, authToken: null, baseURL: api.url }));

  await assert.rejects(client.messages.create(ARGUMENTS), /Could not resolve authentication method/);

  const [event] = await capture.settled();
  assert.deepEqual([event.error_type, event.attempt, event.status, event.final], ["CredentialsError", 1, undefined, true]);
});

test("a call that the app aborts between two attempts ends as cancelled", async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 50);

  await ask(watch(clientOf(api.url)), "529:retry_after=30", { signal: abort.signal });

  const events = await capture.settled();
  assert.deepEqual(events.map((event) => [event.attempt, event.error_type, event.final]), [
    [1, "overloaded_error", false],
    [2, "cancelled", true],
  ]);
});

test("a call that the app aborts while it waits for an answer is cancelled, and no timeout", async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 50);

  const error = await ask(watch(clientOf(api.url)), "hang:delay=5", { signal: abort.signal });

  assert.ok(error instanceof Anthropic.APIUserAbortError);
  const events = await capture.settled();
  assert.deepEqual(events.map((event) => event.error_type), ["cancelled"]);
});

test("another model in the same attempt is a hop, seen innermost", async () => {
  const fallback = async (request, next) => {
    const first = await next(request);
    if (first.ok) return first;
    await first.body?.cancel();
    const headers = new Headers(request.headers);
    headers.set("x-fake", "200");
    return next({ ...request, headers, body: request.body.replace(MODEL, "claude-other") });
  };
  const client = watch(clientOf(api.url));

  await ask(client, "529", { middleware: [fallback] });

  const events = await capture.settled();
  const rows = events.map((event) => [event.attempt, event.status, event.model, event.fallback_from]);
  assert.deepEqual(
    rows.sort((one, other) => other[1] - one[1]),
    [
      [1, 529, MODEL, undefined],
      [1, 200, "claude-other", MODEL],
    ],
  );
});

test("a platform's client is seen as the API's, and its missing login is no attempt of the network", async () => {
  class Platform extends Anthropic {
    backendMiddleware() {
      return [
        async (request, next) => {
          if (request.headers.get("x-login") === "none") {
            throw Object.assign(new Error("Could not load credentials from any providers"), { name: "CredentialsProviderError" });
          }
          return next({ ...request, url: request.url.replace("/v1/messages", "/model/x/invoke") });
        },
      ];
    }
  }
  const client = watch(new Platform({ apiKey: "x", baseURL: api.url }));

  await client.messages.create(ARGUMENTS).catch(() => null);
  await client.messages.create(ARGUMENTS, { headers: { "x-login": "none" } }).catch(() => null);

  const events = await capture.settled();
  assert.deepEqual(events.map((event) => [event.path, event.model, event.error_type, event.attempt, event.final]), [
    ["/v1/messages", MODEL, undefined, 1, true],
    ["/v1/messages", MODEL, "NoCredentialsError", 1, true],
  ]);
});

test("what the blocks around a call say is on its events, though others run meanwhile", async () => {
  const client = watch(clientOf(api.url));
  const call = (path, tenant) =>
    context({ path, app: "shop", attributes: { tenant } }, () =>
      context({ environment: "test", attributes: { inner: 1 } }, () => ask(client, "529:retry_after_ms=1,200")),
    );

  await Promise.all([call("checkout", "acme"), call("search", "initech")]);

  const events = await capture.settled();
  assert.equal(events.length, 4);
  for (const event of events) {
    assert.deepEqual([event.app, event.environment], ["shop", "test"]);
    assert.deepEqual(event.attributes, { tenant: event.path === "checkout" ? "acme" : "initech", inner: "1" });
  }
});

test("the app gets what it would get: the same values, the same errors", async () => {
  const bare = clientOf(api.url);
  const client = watch(clientOf(api.url));
  const strip = (message) => ({ ...message, id: "" });

  assert.deepEqual(strip(await client.messages.create(ARGUMENTS)), strip(await bare.messages.create(ARGUMENTS)));
  for (const steps of ["401", "413", "502:html=true", "reset"]) {
    const [one, other] = [await ask(client, steps, { maxRetries: 0 }), await ask(bare, steps, { maxRetries: 0 })];
    assert.equal(one.constructor, other.constructor);
    assert.equal(String(one.message).replace(/req_\w+/, ""), String(other.message).replace(/req_\w+/, ""));
  }
});

test("a watched client is the same client, its copies are watched too, and no other is", async () => {
  const client = clientOf(api.url);
  const keys = Object.keys(client);

  assert.equal(watch(watch(client)), client);
  assert.deepEqual(Object.keys(client), keys);
  await ask(client, "200");
  await ask(client.withOptions({ timeout: 5000 }), "200");
  await ask(clientOf(api.url), "200");

  assert.equal((await capture.settled()).length, 2);
});

test("instrument() covers clients that were made before, and can be undone", async () => {
  const client = clientOf(api.url);
  const { makeRequest } = Anthropic.prototype;

  instrument({ url: "" });
  await ask(client, "200");
  uninstrument();
  await ask(client, "200");

  assert.equal((await capture.settled()).length, 1);
  assert.equal(Anthropic.prototype.makeRequest, makeRequest);
});

test("an SDK of another shape is observed by what it documents", async () => {
  class Other extends Anthropic {}
  const client = new Other({ apiKey: "x", baseURL: api.url });
  const { makeRequest } = client;
  Object.defineProperty(Other.prototype, "makeRequest", { configurable: true, value: undefined });
  watch(watch(client));
  Object.defineProperty(Other.prototype, "makeRequest", { value: makeRequest });

  await ask(client, "529:retry_after_ms=1,200");

  const events = await capture.settled();
  assert.deepEqual(events.map((event) => [event.attempt, event.status, event.max_attempts]), [
    [1, 529, undefined],
    [2, 200, undefined],
  ]);
});
