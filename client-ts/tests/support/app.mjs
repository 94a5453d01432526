// An app that plays every shared case to the service that CLAXON_URL names; each case is a path of its own.
import { context, shutdown, stats, watch } from "claxon";

import { ask, clientOf, readStream, startApi } from "./api.mjs";
import { CASES } from "./cases.mjs";

const api = await startApi();
const client = watch(clientOf(api.url));
const once = client.withOptions({ maxRetries: 0, timeout: 50 });

for (const [path, { steps }] of Object.entries(CASES.attempts)) await context({ path }, () => ask(client, steps));
for (const [path, { steps }] of Object.entries(CASES.unanswered)) await context({ path }, () => ask(once, steps));
for (const [path, { steps }] of Object.entries(CASES.endings)) {
  await context({ path }, () => readStream(client, "create", steps).catch(() => null));
}
api.close();
const isWhole = await shutdown(5);
console.log(JSON.stringify({ isWhole, ...stats() }));
