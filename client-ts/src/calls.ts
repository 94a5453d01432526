/**
 * The call hook: what a whole call is, seen from around `makeRequest` of the SDK's clients.
 *
 * Only here is it known how often the SDK will try, that the app cancelled while the SDK slept between two attempts,
 * and that a call failed before it was sent. The hook adds the attempt hook to the options of the call, innermost;
 * the options are the same object for all attempts of a call, so they lead from one to the other.
 */

import type { Middleware } from "@anthropic-ai/sdk/client";

import { end, newAttempt, newCallId, NO_MODEL, type Call } from "./attempt.js";
import { credentialError, typeOfError, wasCancelled } from "./failures.js";
import { fault } from "./guard.js";
import { currentSpan } from "./otel.js";
import { emit } from "./state.js";
import { currentTags } from "./tagging.js";

/** What is read of the options of a call. */
export interface Options {
  readonly path: string;
  readonly body?: unknown;
  readonly maxRetries?: number;
  readonly signal?: AbortSignal | null | undefined;
  readonly middleware?: readonly Middleware[] | undefined;
}

/** What is read of a client; all but `maxRetries` is private, and guarded. */
export interface ClientInside {
  readonly maxRetries: number;
  readonly apiKey?: string | null;
  readonly _authState?: { readonly tokenCache?: unknown };
  backendMiddleware?(): readonly unknown[];
}

export type MakeRequest = (
  this: ClientInside,
  options: Options | PromiseLike<Options>,
  retriesRemaining: number | null,
  retryOf: string | undefined,
  ...rest: unknown[]
) => Promise<unknown>;

interface Seen {
  readonly call: Call;
  readonly hooked: boolean;
}

const calls = new WeakMap<Options, Seen>();

/** Return the call that an attempt belongs to; null when another hook of ours reports it. */
export function callOf(options: Options, hooked: boolean): Call | null {
  const seen = calls.get(options);
  if (seen !== undefined) return seen.hooked === hooked ? seen.call : null;
  if (hooked) return null;
  const call = newCall(options.maxRetries ?? null);
  call.signal = options.signal ?? null;
  calls.set(options, { call, hooked });
  return call;
}

function newCall(maxRetries: number | null): Call {
  return {
    id: newCallId(),
    tags: currentTags(),
    span: currentSpan(),
    maxRetries,
    signal: null,
    refreshesToken: false,
    isAdapted: false,
    attempts: 0,
    pending: false,
    ended: performance.now(),
    model: NO_MODEL,
    path: "",
    tokens: null,
  };
}

/** Return `makeRequest` with the hook around it. */
export function hooked(original: MakeRequest, innermost: Middleware, isOn: () => boolean): MakeRequest {
  return function makeRequest(options, retriesRemaining, retryOf, ...rest) {
    // It calls itself for each further attempt, and then says of which.
    if (retryOf !== undefined || !isOn()) return original.call(this, options, retriesRemaining, retryOf, ...rest);
    const call = begin(this);
    if (call === null) return original.call(this, options, retriesRemaining, retryOf, ...rest);
    const prepare = (given: Options): Options => prepared(given, call, this, innermost);
    const watched = isPromise(options) ? options.then(prepare) : prepare(options);
    // Returned as it is awaited: a rejection that the app does not handle must stay one.
    return original.call(this, watched, retriesRemaining, retryOf, ...rest).catch((error: unknown) => {
      failed(call, error);
      throw error;
    });
  };
}

function isPromise(value: unknown): value is PromiseLike<Options> {
  return typeof (value as { then?: unknown } | null)?.then === "function";
}

function begin(client: ClientInside): Call | null {
  try {
    const call = newCall(client.maxRetries);
    call.refreshesToken = client._authState?.tokenCache != null && client.apiKey == null;
    call.isAdapted = (client.backendMiddleware?.().length ?? 0) > 0;
    return call;
  } catch (error) {
    fault("call", error); // the call goes on unobserved
    return null;
  }
}

/** Return the options with the attempt hook in them, innermost; a copy, for the app may use its own again. */
function prepared(options: Options, call: Call, client: ClientInside, innermost: Middleware): Options {
  try {
    // A watched client in an instrumented process: the outer hook has it.
    if (calls.get(options)?.hooked) return options;
    call.maxRetries = isStreamBody(options.body) ? 0 : (options.maxRetries ?? client.maxRetries);
    call.signal = options.signal ?? null;
    const copy = { ...options, middleware: [...(options.middleware ?? []), innermost] };
    calls.set(copy, { call, hooked: true });
    return copy;
  } catch (error) {
    fault("call", error);
    return options;
  }
}

/** Return whether a body can be sent once only, so that the SDK will not try again. */
function isStreamBody(body: unknown): boolean {
  if (typeof body !== "object" || body === null) return false;
  if (body instanceof ReadableStream || Symbol.asyncIterator in body) return true;
  return Symbol.iterator in body && typeof (body as { next?: unknown }).next === "function";
}

/** Report the end of a call that no attempt could report. */
function failed(call: Call, error: unknown): void {
  try {
    if (call.attempts === 0 ? wasCancelled(error, call.signal) || credentialError(error) === null : !call.pending) return;
    // Either nothing was sent, or the SDK was to try again and did not.
    const { model, path, tokens } = call;
    const attempt = newAttempt(call, { number: call.attempts + 1, model, path, tokens, fallbackFrom: null });
    attempt.errorType = typeOfError(error, call.signal);
    attempt.started = call.ended;
    end(attempt);
    call.pending = false;
    emit(attempt);
  } catch (mistake) {
    fault("call", mistake); // the app gets its own error
  }
}

