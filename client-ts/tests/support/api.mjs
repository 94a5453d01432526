// The fake Claude API of the Python tests, as a process: one for each file of tests.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import Anthropic from "@anthropic-ai/sdk";

export const KEY = "sk-ant-secret";
export const MODEL = "claude-test";
export const PROMPT = "the quick brown prompt";
export const ARGUMENTS = { model: MODEL, max_tokens: 64, messages: [{ role: "user", content: PROMPT }] };

/** Keeps the SDK's back-off short. */
export const SOON = "retry_after_ms=1";

/** Start the API, or use the one that is named; returns its address and how to end it. */
export async function startApi() {
  const given = process.env.CLAXON_TEST_API;
  if (given) return { url: given, close() {} };
  const root = process.env.CLAXON_TEST_ROOT ?? fileURLToPath(new URL("../../..", import.meta.url));
  const python = process.env.CLAXON_TEST_PYTHON ?? "python3";
  const api = spawn(python, ["-m", "tests.client_ts.fake_api"], { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  const [url] = await once(createInterface({ input: api.stdout }), "line");
  return { url, close: () => api.stdin.end() };
}

/** Return a client of the fake API. */
export function clientOf(url, options = {}) {
  return new Anthropic({ apiKey: KEY, baseURL: url, ...options });
}

/** Return the options of a call that make the API play some steps. */
export function playing(steps, more = {}) {
  return { headers: { "x-fake": steps }, ...more };
}

/** Make one call and return what it threw; null for a success. */
export async function ask(client, steps, options = {}) {
  try {
    await client.messages.create(ARGUMENTS, playing(steps, options));
    return null;
  } catch (error) {
    return error;
  }
}

export const WAYS = ["create", "stream", "response", "reader"];

/** Read a whole streamed answer, in one of the ways the SDK offers. */
export async function readStream(client, way, steps) {
  if (way === "stream") {
    for await (const _ of client.messages.stream(ARGUMENTS, playing(steps)));
    return;
  }
  const call = client.messages.create({ ...ARGUMENTS, stream: true }, playing(steps));
  if (way === "create") {
    for await (const _ of await call);
  } else if (way === "response") {
    await (await call.asResponse()).text();
  } else {
    const reader = (await call.asResponse()).body.getReader();
    while (!(await reader.read()).done);
  }
}
