/**
 * recording: an attempt becomes an event, as docs/reference/events.md says; when it is shipped, not before.
 *
 * What may leave the process is decided here, by naming it: there is no loop that copies whatever is found.
 */

import { NO_MODEL, type Attempt, type StreamEnd } from "./attempt.js";
import type { Settings } from "./settings.js";

/** What the `anthropic-ratelimit-*` headers said; a reset is an instant. */
export type RateLimits = Readonly<Record<string, number | string>>;

/** One attempt of one call, as it travels. What is null or undefined is not sent. */
export interface Event {
  readonly time: number;
  readonly app: string | undefined;
  readonly environment: string | undefined;
  readonly path: string;
  readonly model: string;
  readonly attempt: number;
  readonly max_attempts: number | undefined;
  readonly final: boolean | undefined;
  readonly exhausted: boolean | undefined;
  readonly error_type: string | undefined;
  readonly error_code: string | undefined;
  readonly error_message: string | undefined;
  readonly status: number | undefined;
  readonly tokens: number | undefined;
  readonly input_tokens: number | undefined;
  readonly output_tokens: number | undefined;
  readonly cache_read_tokens: number | undefined;
  readonly cache_write_tokens: number | undefined;
  readonly duration_ms: number;
  readonly time_to_first_token_ms: number | undefined;
  readonly retry_after_s: number | undefined;
  readonly call_id: string;
  readonly request_id: string | undefined;
  readonly trace_id: string | undefined;
  readonly span_id: string | undefined;
  readonly ratelimit: RateLimits | undefined;
  readonly stream_end: StreamEnd | undefined;
  readonly fallback_from: string | undefined;
  readonly stop_reason: string | undefined;
  readonly attributes: Readonly<Record<string, string>> | undefined;
}

const MOST_ATTEMPTS = 1_000_000;
const MAX_MESSAGE = 500;
const DEFAULT_PATH = "/v1/messages";

/** Return the event of an attempt, each text cut to what an event may hold. */
export function toEvent(attempt: Attempt, settings: Settings): Event {
  const { call, usage, headers } = attempt;
  const { tags, maxRetries } = call;
  return {
    time: round(attempt.time, 1e6),
    app: tags.app || settings.app || undefined,
    environment: (tags.environment ?? settings.environment) || undefined,
    path: (tags.path || attempt.path || DEFAULT_PATH).slice(0, 200),
    model: attempt.model.slice(0, 128) || NO_MODEL,
    attempt: Math.min(attempt.number, MOST_ATTEMPTS),
    max_attempts: maxRetries === null ? undefined : Math.max(1, attempt.number, Math.min(maxRetries + 1, MOST_ATTEMPTS)),
    final: attempt.final ?? undefined,
    exhausted: attempt.exhausted ?? undefined,
    error_type: short(attempt.errorType),
    error_code: short(attempt.errorCode),
    error_message: attempt.errorMessage ? cleanMessage(attempt.errorMessage) : undefined,
    status: attempt.status !== null && attempt.status >= 100 && attempt.status <= 599 ? attempt.status : undefined,
    tokens: attempt.tokens ?? undefined,
    input_tokens: usage.inputTokens ?? undefined,
    output_tokens: usage.outputTokens ?? undefined,
    cache_read_tokens: usage.cacheReadTokens ?? undefined,
    cache_write_tokens: usage.cacheWriteTokens ?? undefined,
    duration_ms: milliseconds(attempt.ended - attempt.started),
    time_to_first_token_ms: attempt.firstToken === null ? undefined : milliseconds(attempt.firstToken - attempt.started),
    retry_after_s: attempt.retryAfterS ?? undefined,
    call_id: call.id,
    request_id: short(headers?.get("request-id") ?? null),
    trace_id: call.span?.traceId,
    span_id: call.span?.spanId,
    ratelimit: headers === null ? undefined : rateLimits(headers),
    stream_end: attempt.streamEnd ?? undefined,
    fallback_from: short(attempt.fallbackFrom),
    stop_reason: short(attempt.stopReason),
    attributes: tags.attributes ?? undefined,
  };
}

function short(value: string | null): string | undefined {
  return value === null ? undefined : value.slice(0, 128);
}

function round(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}

function milliseconds(duration: number): number {
  return round(Math.max(0, duration), 1000);
}

const LIMITS: readonly (readonly [header: string, field: string])[] = ["requests", "tokens", "input-tokens", "output-tokens"]
  .flatMap((kind) => ["limit", "remaining", "reset"].map((part) => [kind, part] as const))
  .map(([kind, part]) => [`anthropic-ratelimit-${kind}-${part}`, `${kind.replace("-", "_")}_${part}`]);

/** Return the limits' numbers and instants; undefined where the answer has none. */
function rateLimits(headers: Headers): RateLimits | undefined {
  let found: Record<string, number | string> | undefined;
  for (const [header, field] of LIMITS) {
    const text = headers.get(header);
    const value = text === null ? undefined : limit(field, text);
    if (value !== undefined) (found ??= {})[field] = value;
  }
  return found;
}

function limit(field: string, text: string): number | string | undefined {
  if (field.endsWith("_reset")) {
    const hasZone = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text);
    return hasZone && !Number.isNaN(Date.parse(text)) ? text : undefined;
  }
  const amount = text.trim() === "" ? NaN : Number(text);
  return amount >= 0 && amount < 2 ** 53 ? amount : undefined;
}

/** Return an error message as it is sent: redacted, one line, at most 500 characters. */
export function cleanMessage(text: string): string {
  const line = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").replace(/sk-ant-[A-Za-z0-9_-]+/g, "sk-ant-***");
  return wellFormed(line.trim().slice(0, MAX_MESSAGE));
}

/** A cut may leave half of a surrogate pair, which is no text. */
function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff]$/, "");
}
