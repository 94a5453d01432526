/** logs: each event as one JSON line, for Datadog, CloudWatch, Loki and their like. Off unless asked for. */

import type { Event } from "./recording.js";

/** Write one event on standard output: a final failure as an error, an absorbed one as a warning. */
export function logEvent(event: Event, failed: boolean): void {
  const level = !failed ? "info" : event.final === false ? "warning" : "error";
  const time = new Date(event.time * 1000).toISOString();
  console.log(JSON.stringify({ event: "claude.attempt", level, ...event, time }));
}
