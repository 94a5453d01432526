/**
 * exporter: posts one batch to the service, and says what became of it.
 *
 * With the `fetch` that was there when this file was loaded: what an app or a framework puts in its place later does
 * not see it. No redirects are followed: the events and the key go to the address that was configured.
 */

import { untraced } from "./otel.js";
import type { Settings } from "./settings.js";
import { VERSION } from "./version.js";

const LARGEST_PLAIN = 1024;
const LONGEST_WAIT_S = 3600;

/** How many events the client has given up since the last batch that was accepted. */
export const DROPPED_HEADER = "Claxon-Client-Dropped";

/** A request, the same bytes and the same key at each try. */
export interface Batch {
  /** A JSON array of events, perhaps compressed. */
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** The Idempotency-Key. */
  readonly key: string;
  /** How many events it holds. */
  readonly events: number;
  /** How many events were given up before it. */
  readonly dropped: number;
}

/**
 * What became of one try: `accepted` and `refused` are final; `unreached` (no answer) and `busy` (an answer that asks
 * for patience, or a server error) are not.
 */
export interface Answer {
  readonly outcome: "accepted" | "refused" | "unreached" | "busy";
  /** Events taken. */
  readonly accepted: number;
  /** Events refused one by one. */
  readonly rejected: number;
  /** For the log; no secret, no event. */
  readonly why: string;
  readonly status: number | null;
  /** How long the service asked us to wait. */
  readonly retryAfterS: number | null;
}

const send = globalThis.fetch;

/** Post a batch once. Never throws. */
export async function post(batch: Batch, settings: Settings, timeoutS: number): Promise<Answer> {
  try {
    const response = await untraced(() =>
      send(`${settings.url}/v1/events`, {
        method: "POST",
        body: batch.body,
        headers: headersOf(batch, settings),
        redirect: "manual",
        signal: AbortSignal.timeout(Math.ceil(timeoutS * 1000)),
      }),
    );
    return answerOf(response.status, response.headers.get("retry-after"), await response.text(), batch.events);
  } catch (error) {
    return answer("unreached", { why: describe(error) });
  }
}

/** Return a body as it is sent: compressed where that is worth it, and the runtime can. */
export async function compressed(body: string): Promise<string | Uint8Array<ArrayBuffer>> {
  if (body.length <= LARGEST_PLAIN || typeof CompressionStream === "undefined") return body;
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function headersOf(batch: Batch, settings: Settings): Record<string, string> {
  return {
    "Content-Type": "application/json",
    "Idempotency-Key": batch.key,
    "User-Agent": `claxon-typescript/${VERSION}`,
    ...(typeof batch.body === "string" ? {} : { "Content-Encoding": "gzip" }),
    ...(settings.key ? { Authorization: `Bearer ${settings.key}` } : {}),
    ...(batch.dropped > 0 ? { [DROPPED_HEADER]: String(batch.dropped) } : {}),
  };
}

function answer(outcome: Answer["outcome"], more: Partial<Answer> = {}): Answer {
  return { outcome, accepted: 0, rejected: 0, why: "", status: null, retryAfterS: null, ...more };
}

function answerOf(status: number, retryAfter: string | null, body: string, events: number): Answer {
  if (status >= 200 && status < 300) return receipt(body, events);
  const why = `HTTP ${status}`;
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return answer("busy", { why, status, retryAfterS: secondsOf(retryAfter) });
  }
  return answer("refused", { why: `${why}: ${body.slice(0, 200).replace(/\s+/g, " ").trim()}`, status });
}

function receipt(body: string, events: number): Answer {
  let said: { accepted?: unknown; rejected?: unknown };
  try {
    said = (JSON.parse(body) ?? {}) as typeof said;
  } catch {
    said = {};
  }
  const accepted = typeof said.accepted === "number" ? said.accepted : events;
  const rejected = Array.isArray(said.rejected) ? (said.rejected as { error?: unknown }[]) : [];
  return answer("accepted", { accepted, rejected: rejected.length, why: String(rejected[0]?.error ?? "").slice(0, 200) });
}

/** Return the seconds of a Retry-After header, which may be a date. */
function secondsOf(retryAfter: string | null): number | null {
  if (retryAfter === null) return null;
  const seconds = retryAfter.trim() === "" ? NaN : Number(retryAfter);
  const asked = Number.isNaN(seconds) ? (Date.parse(retryAfter) - Date.now()) / 1000 : seconds;
  return Number.isNaN(asked) ? null : Math.min(Math.max(0, asked), LONGEST_WAIT_S);
}

function describe(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  return cause?.code ? `${name}: ${cause.code}` : String(name);
}
