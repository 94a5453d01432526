/**
 * otel: joins events to the app's own traces, where it has any.
 *
 * OpenTelemetry is never imported, only found: its API keeps itself under a global symbol, so that all its copies
 * agree. Without it in the process every function does nothing.
 *
 * Source:
 *   open-telemetry/opentelemetry-js, `api/src/internal/global-utils.ts`, `api/src/trace/context-utils.ts` and
 *   `packages/opentelemetry-core/src/trace/suppress-tracing.ts`.
 */

import type { SpanIds } from "./attempt.js";
import { STATE } from "./state.js";

interface Context {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): Context;
}

interface Manager {
  active(): Context;
  with<Result>(context: Context, run: () => Result): Result;
}

interface Span {
  spanContext?(): { traceId: string; spanId: string };
}

const API = Symbol.for("opentelemetry.js.api.1");
const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");
const SUPPRESS = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

function manager(): Manager | undefined {
  return (globalThis as { [API]?: { context?: Manager } })[API]?.context;
}

/** Return the ids of the span around this code; null when there is none, or no OpenTelemetry. */
export function currentSpan(): SpanIds | null {
  const context = STATE.settings.otel ? manager() : undefined;
  const span = context?.active().getValue(SPAN) as Span | undefined;
  const ids = span?.spanContext?.();
  return ids && !/^0*$/.test(ids.traceId) ? { traceId: ids.traceId, spanId: ids.spanId } : null;
}

/** Run a function without any of its requests being traced: the client's own are no part of the app. */
export function untraced<Result>(run: () => Result): Result {
  const context = manager();
  return context ? context.with(context.active().setValue(SUPPRESS, true), run) : run();
}
