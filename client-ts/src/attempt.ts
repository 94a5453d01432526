/**
 * Attempt: what is noted while the app waits, to be made into an event later.
 *
 * The call's own path copies references and numbers only; texts are cleaned and
 * the event is built when it is shipped (recording.ts).
 */

import type { CurrentTags } from "./tagging.js";

/** The model of a call that names none, such as `models.list()`. */
export const NO_MODEL = "none";

/** Token counts as the API writes them; null is unknown. */
export interface Usage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cacheReadTokens: number | null;
  readonly cacheWriteTokens: number | null;
}

export const NO_USAGE: Usage = Object.freeze({
  inputTokens: null,
  outputTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
});

export type StreamEnd = "complete" | "error_event" | "transport_error" | "truncated" | "closed" | "dropped";

/** Ids of an OpenTelemetry span, in hexadecimal. */
export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** One request of the app, with all its attempts. */
export interface Call {
  /** The same on all attempts; unique in the world. */
  readonly id: string;
  readonly tags: CurrentTags;
  readonly span: SpanIds | null;
  /** As the SDK will use it; null if it is not known. */
  maxRetries: number | null;
  /** The app's own signal: an abort by it is a cancellation, and no timeout. */
  signal: AbortSignal | null;
  /** Whether the SDK answers a 401 with a new token; once a call. */
  refreshesToken: boolean;
  /** Whether the client rewrites requests for another platform, as for Bedrock. */
  isAdapted: boolean;
  /** The number of the newest attempt; 0 before the first. */
  attempts: number;
  /** Whether the newest attempt promised another. */
  pending: boolean;
  /** When that one ended, by `performance.now()`. */
  ended: number;
  /** Of the newest attempt; `path` and `tokens` likewise. */
  model: string;
  path: string;
  tokens: number | null;
}

/** One HTTP exchange, or one that never came about. */
export interface Attempt {
  readonly call: Call;
  /** From 1. */
  readonly number: number;
  readonly model: string;
  readonly path: string;
  readonly tokens: number | null;
  readonly fallbackFrom: string | null;
  /** By `performance.now()`; `ended` likewise. */
  started: number;
  ended: number;
  /** Unix seconds at the end. */
  time: number;
  status: number | null;
  /** Of the answer: read for the few that may leave the process, when it is shipped. */
  headers: Headers | null;
  /** Whether it is urgent: an error, and not the app's own doing. */
  failed: boolean;
  /** Null where nobody knows whether another attempt follows. */
  final: boolean | null;
  exhausted: boolean | null;
  errorType: string | null;
  errorCode: string | null;
  errorMessage: string | null;
  retryAfterS: number | null;
  usage: Usage;
  stopReason: string | null;
  firstToken: number | null;
  streamEnd: StreamEnd | null;
}

/** Return an attempt that begins now, a success until something else is known. */
export function newAttempt(
  call: Call,
  about: { number: number; model: string; path: string; tokens: number | null; fallbackFrom: string | null },
): Attempt {
  return {
    call,
    number: about.number,
    model: about.model,
    path: about.path,
    tokens: about.tokens,
    fallbackFrom: about.fallbackFrom,
    started: performance.now(),
    ended: 0,
    time: 0,
    status: null,
    headers: null,
    failed: false,
    final: true,
    exhausted: false,
    errorType: null,
    errorCode: null,
    errorMessage: null,
    retryAfterS: null,
    usage: NO_USAGE,
    stopReason: null,
    firstToken: null,
    streamEnd: null,
  };
}

/** Note that an attempt ended now. */
export function end(attempt: Attempt): void {
  attempt.ended = performance.now();
  attempt.time = Date.now() / 1000;
}

let prefix = "";
let calls = 0;

/** Return the id of a new call; no other process has the same prefix. */
export function newCallId(): string {
  // Not when the file is loaded: edge runtimes have no randomness then.
  prefix ||= randomHex(8);
  calls += 1;
  return `${prefix}-${calls.toString(16)}`;
}

/** Return so many random bytes in hexadecimal. */
export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
