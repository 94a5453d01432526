// What watching adds to a call, in microseconds: the bare SDK, a watched client, and one whose events are shipped.
//
// No network: `fetch` answers at once, and what is measured is the processor's time, so that a busy machine is no part
// of it. Each round measures all three, one after the other, and the median of a round's differences is told. Shipping
// is to a service in another process; building, compressing and posting the events is in the figure.
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

import Anthropic from "@anthropic-ai/sdk";
import { flush, stats, watch } from "claxon";

const CALLS = 400;
const ROUNDS = 25;
const DELTAS = 100;

function serve() {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(202).end('{"accepted":1,"rejected":[]}'));
  });
  server.listen(0, "127.0.0.1", () => process.send(`http://127.0.0.1:${server.address().port}`));
  process.on("disconnect", () => process.exit());
}

async function measure() {
  const service = fork(fileURLToPath(import.meta.url), ["service"], { execArgv: [] });
  const [url] = await once(service, "message");
  const asked = { model: "claude-test", max_tokens: 64, messages: [{ role: "user", content: "x".repeat(2000) }] };
  const streamed = { ...asked, stream: true };
  const kinds = {
    "a call": { answer: plain, call: (client) => client.messages.create(asked) },
    [`a stream of ${DELTAS} deltas`]: {
      answer: stream,
      async call(client) {
        for await (const _ of await client.messages.create(streamed));
      },
    },
  };
  console.log(`node ${process.version}, ${CALLS} calls in each of ${ROUNDS} rounds; median microseconds of processor time a call`);
  for (const [name, { answer, call }] of Object.entries(kinds)) {
    const client = () => new Anthropic({ apiKey: "x", baseURL: "http://127.0.0.1:9", fetch: async () => answer() });
    const variants = { bare: client(), watched: client(), shipped: client() };
    const settings = { watched: { url: "" }, shipped: { url } };
    const rounds = [];
    for (let round = -3; round < ROUNDS; round++) {
      const times = {};
      for (const [variant, one] of Object.entries(variants)) {
        if (settings[variant]) watch(one, { ...settings[variant], queueSize: 100_000 });
        times[variant] = await timeOf(one, call);
      }
      if (round >= 0) rounds.push(times);
    }
    const of = (pick) => median(rounds.map(pick)).toFixed(1);
    console.log(
      `${name}: bare ${of((time) => time.bare)}, watched +${of((time) => time.watched - time.bare)}, ` +
        `watched and shipped +${of((time) => time.shipped - time.bare)}`,
    );
  }
  console.log(`${stats().sent > 0 ? "events were shipped" : "no event was shipped"}; faults: ${stats().faults}`);
  service.disconnect();
}

async function timeOf(client, call) {
  const begun = process.cpuUsage();
  for (let made = 0; made < CALLS; made++) await call(client);
  await flush();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / CALLS;
}

function median(values) {
  return [...values].sort((one, other) => one - other)[values.length >> 1];
}

const LIMITS = ["requests", "tokens", "input-tokens", "output-tokens"].flatMap((kind) => [
  [`anthropic-ratelimit-${kind}-limit`, "1000"],
  [`anthropic-ratelimit-${kind}-remaining`, "900"],
  [`anthropic-ratelimit-${kind}-reset`, "2026-11-25T08:00:00Z"],
]);
const headersOf = (type) => [["content-type", type], ["request-id", "req_1"], ...LIMITS];

const MESSAGE = JSON.stringify({
  id: "msg_1",
  type: "message",
  role: "assistant",
  content: [{ type: "text", text: "x".repeat(500) }],
  stop_reason: "end_turn",
  usage: { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 7, cache_creation_input_tokens: 3 },
});
const EVENTS = [
  { type: "message_start", message: { usage: { input_tokens: 10, output_tokens: 1 }, content: [] } },
  ...Array(DELTAS).fill({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hello, " } }),
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 12 } },
  { type: "message_stop" },
].map((event) => new TextEncoder().encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));

function plain() {
  return new Response(MESSAGE, { headers: headersOf("application/json") });
}

function stream() {
  let at = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (at < EVENTS.length) controller.enqueue(EVENTS[at++]);
      else controller.close();
    },
  });
  return new Response(body, { headers: headersOf("text/event-stream") });
}

if (process.argv[2] === "service") serve();
else await measure();
