// Whole processes: how they end, and how the package is loaded.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { startApi } from "./support/api.mjs";
import { startIngest } from "./support/ingest.mjs";

const cwd = fileURLToPath(new URL("..", import.meta.url));

let api;
let ingest;
before(async () => (api = await startApi()));
after(() => api.close());
beforeEach(async () => (ingest = await startIngest()));
afterEach(() => ingest.close());

/** Run a program; returns how it ended, what it wrote, and how long it took. */
function run(program, { url = ingest.url, kind = "module", bare = false, ...variables } = {}) {
  const imports =
    kind === "module"
      ? 'import Anthropic from "@anthropic-ai/sdk"; import * as claxon from "claxon";'
      : `const Anthropic = require("@anthropic-ai/sdk"); ${bare ? "" : 'const claxon = require("claxon");'}`;
  const watched = `const client = claxon.watch(new Anthropic({ apiKey: "x", baseURL: ${JSON.stringify(api.url)} }));`;
  const source = `${imports}
    ${bare ? "" : watched}
    const call = (on, steps) =>
      on.messages.create({ model: "m", max_tokens: 5, messages: [] }, { headers: { "x-fake": steps }, maxRetries: 0 });
    ${program}`;
  const env = { ...process.env, CLAXON_URL: url, CLAXON_INTERVAL_S: "3600", ...variables };
  const begun = performance.now();
  return new Promise((resolve) => {
    execFile(process.execPath, [`--input-type=${kind}`, "-e", source], { cwd, env, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr, seconds: (performance.now() - begun) / 1000 }),
    );
  });
}

test("a program that just ends sends its last events first", async () => {
  const ended = await run('await call(client, "200");');

  assert.deepEqual([ended.code, ended.stderr], [0, ""]);
  assert.deepEqual(ingest.events.map((event) => event.status), [200]);
});

test("a service that keeps silent holds the end of a program for its budget, and no longer", async () => {
  ingest.script.push({ hang: true });

  const ended = await run('await call(client, "200");', { CLAXON_EXIT_TIMEOUT_S: "0.3" });

  assert.equal(ended.code, 0);
  assert.equal(ingest.posts.length, 1);
  assert.ok(ended.seconds < 3, `${ended.seconds} s`);
});

test("a service that is down does not keep a program alive", async () => {
  const ended = await run('await call(client, "401").catch(() => {});', { url: "http://127.0.0.1:9" });

  assert.equal(ended.code, 0);
  assert.ok(ended.seconds < 3, `${ended.seconds} s`);
});

test("a rejection that the app does not handle stays one", async () => {
  const ended = await run('void call(client, "401");');

  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /AuthenticationError/);
});

test("require() works too, and the two copies of the package share one queue", async () => {
  const ended = await run(
    `(async () => {
       const other = await import("claxon");
       await call(client, "200");
       console.log(other.stats().queued, claxon.stats().queued, await other.flush());
     })();`,
    { kind: "commonjs" },
  );

  assert.equal(ended.stdout.trim(), "1 1 true", ended.stderr);
  assert.equal(ingest.events.length, 1);
});

test("instrument() covers every client of the SDK it is loaded with, and those of a second copy that it is given", async () => {
  const ended = await run(`
    import { createRequire } from "node:module";
    const { Anthropic: Other } = createRequire(import.meta.url + "/x.js")("@anthropic-ai/sdk");
    const options = { apiKey: "x", baseURL: ${JSON.stringify(api.url)} };
    const made = [new Anthropic(options), new Other(options)];
    claxon.instrument();
    for (const one of made) await call(one, "200");
    claxon.instrument({}, Other);
    for (const one of made) await call(one, "200");
    console.log(claxon.stats().queued);
  `.replace('import.meta.url + "/x.js"', JSON.stringify(cwd)));

  assert.equal(ended.stdout.trim(), "3", ended.stderr);
  assert.equal(ingest.events.length, 3);
});

test("a runtime that has less, such as an edge's, is enough", async () => {
  const ended = await run(`(async () => {
    const { FinalizationRegistry } = globalThis; // Node.js itself cannot do without it
    delete globalThis.FinalizationRegistry;
    delete globalThis.CompressionStream;
    const random = crypto.getRandomValues;
    crypto.getRandomValues = () => { throw new Error("no randomness while modules are loaded"); };
    const { flush, stats, watch } = require("claxon");
    Object.assign(globalThis, { FinalizationRegistry });
    crypto.getRandomValues = random;
    const client = watch(new Anthropic({ apiKey: "x", baseURL: ${JSON.stringify(api.url)} }));
    for (let made = 0; made < 5; made++) await call(client, "200");
    console.log(await flush(), stats().faults);
  })();`, { kind: "commonjs", bare: true });

  assert.equal(ended.stdout.trim(), "true 0", ended.stderr);
  assert.deepEqual(ingest.events.map((event) => event.output_tokens), Array(5).fill(5));
  assert.equal(ingest.posts[0].headers["content-encoding"], undefined);
});

test("an event can be a line of JSON, too", async () => {
  const ended = await run('await call(client, "401").catch(() => {});', { CLAXON_LOG_EVENTS: "true", CLAXON_URL: "" });

  const line = JSON.parse(ended.stdout);
  assert.deepEqual([line.event, line.level, line.status], ["claude.attempt", "error", 401]);
  assert.match(line.time, /^\d{4}-.*Z$/);
});
