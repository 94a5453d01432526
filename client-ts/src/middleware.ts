/**
 * The attempt hook: one event for each HTTP exchange, from inside the SDK's retry loop.
 *
 * Sits innermost, so that it sees what really was sent: a fallback's other model, another middleware's repeated
 * request. It changes nothing: bodies of errors are read from a copy, other bodies pass as they are.
 */

import type { Middleware } from "@anthropic-ai/sdk/client";

import { end, newAttempt, NO_MODEL, type Attempt } from "./attempt.js";
import { observeBody, type Ending } from "./bodies.js";
import { callOf, type Options } from "./calls.js";
import { CANCELLED, NON_JSON, readErrorBody, typeOfError, wasCancelled, type Failure } from "./failures.js";
import { fault } from "./guard.js";
import { askedIn, routeOf } from "./requests.js";
import { isAbort, retryableError, retryableResponse, retryAfterS } from "./retries.js";
import { scannerFor, type Scanner } from "./scanners.js";
import { emit, STATE } from "./state.js";

const MESSAGES = "/v1/messages";
const LARGEST_ERROR = 64 * 1024;
const ERROR_BODY_MS = 2_000;

type Request = Parameters<Middleware>[0];

/**
 * Observes every attempt of the clients it is given to: `new Anthropic({ middleware: [middleware] })`.
 *
 * `instrument()` and `watch()` put it where it belongs by themselves, and know more about each call. Where they do, a
 * second one of the same client stands aside.
 */
export const middleware: Middleware = async (request, next, ctx) => observe(request, next, ctx.options, false);

/** As `middleware`, of a call that the call hook has seen. */
export const innermost: Middleware = async (request, next, ctx) => observe(request, next, ctx.options, true);

async function observe(
  request: Request,
  next: Parameters<Middleware>[1],
  options: unknown,
  hooked: boolean,
): Promise<Response> {
  const attempt = begin(request, options as Options | undefined, hooked);
  if (attempt === null) return next(request);
  let response: Response;
  try {
    response = await next(request);
  } catch (error) {
    threw(attempt, error);
    throw error;
  }
  try {
    answered(attempt, response);
  } catch (error) {
    fault("middleware", error); // the app gets its answer
  }
  return response;
}

function begin(request: Request, options: Options | undefined, hooked: boolean): Attempt | null {
  try {
    // Without options it is an exchange of tokens, and no call.
    const call = options === undefined ? null : callOf(options, hooked);
    if (options === undefined || call === null) return null;
    const taken = Number.parseInt(request.headers.get("x-stainless-retry-count") ?? "", 10);
    const number = taken >= 0 ? taken + 1 : call.attempts + 1;
    const asked = askedIn(request.body);
    const model = asked.model ?? NO_MODEL;
    // The same attempt again with another model: a fallback middleware's hop.
    const isHop = call.attempts === number && call.model !== model;
    const path = routeOf(options.path);
    const attempt = newAttempt(call, {
      number,
      model,
      path,
      tokens: asked.tokens,
      fallbackFrom: isHop ? call.model : null,
    });
    Object.assign(call, { attempts: number, pending: false, model, path, tokens: asked.tokens });
    return attempt;
  } catch (error) {
    fault("middleware", error); // the call goes on unobserved
    return null;
  }
}

/** Report an attempt that has no answer. */
function threw(attempt: Attempt, error: unknown): void {
  try {
    const { call } = attempt;
    attempt.errorType = typeOfError(error, call.signal);
    if (attempt.errorType !== CANCELLED) judge(attempt, retryableError(error, call.isAdapted));
    end(attempt);
    emit(attempt);
  } catch (mistake) {
    fault("middleware", mistake); // the app gets its own error
  }
}

/** Set `final` and `exhausted` of a failed attempt. */
function judge(attempt: Attempt, retryable: boolean): void {
  if (!retryable) return;
  const call = attempt.call;
  if (call.maxRetries === null) {
    attempt.final = attempt.exhausted = null;
    return;
  }
  attempt.final = attempt.exhausted = attempt.number > call.maxRetries;
  call.pending = !attempt.final;
  call.ended = performance.now();
}

/** Report an attempt that was answered; one whose body is still to come, when that has ended. */
function answered(attempt: Attempt, response: Response): void {
  attempt.status = response.status;
  attempt.headers = response.headers;
  if (!response.ok) {
    refused(attempt, response);
    return;
  }
  // Only what names a model is answered by a message; files and their like are no business of ours.
  if (attempt.model !== NO_MODEL) {
    const scanner = scannerFor(response.headers);
    if (scanner.isStream && attempt.path !== MESSAGES) scanner.giveUp();
    if (observeBody(response, scanner, (...how) => bodyEnded(attempt, ...how))) return;
  }
  end(attempt);
  emit(attempt);
}

function refused(attempt: Attempt, response: Response): void {
  const call = attempt.call;
  const refreshes = response.status === 401 && call.refreshesToken;
  if (refreshes) call.refreshesToken = false;
  judge(attempt, refreshes || retryableResponse(response.status, response.headers));
  if (attempt.final !== true) attempt.retryAfterS = retryAfterS(response.headers);
  end(attempt);
  const read = readFailure(attempt, response).finally(() => STATE.reading.delete(read));
  STATE.reading.add(read);
}

/** Read the body of an error from a copy, beside the SDK and never before it, and report the attempt. */
async function readFailure(attempt: Attempt, response: Response): Promise<void> {
  try {
    if (response.body !== null) explain(attempt, readErrorBody(await firstText(response.clone())));
  } catch {
    // It broke off: the status says enough.
  }
  emit(attempt);
}

async function firstText(response: Response): Promise<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), ERROR_BODY_MS);
  (timer as { unref?: () => void }).unref?.();
  try {
    const decoder = new TextDecoder();
    let text = "";
    while (text.length < LARGEST_ERROR) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    return text;
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => undefined);
  }
}

function explain(attempt: Attempt, failure: Failure): void {
  attempt.errorType = failure.type;
  attempt.errorCode = failure.code;
  attempt.errorMessage = failure.message;
}

/** Report an attempt once its body has ended. */
function bodyEnded(attempt: Attempt, scanner: Scanner, ending: Ending, error: unknown): void {
  end(attempt);
  scanner.finish();
  attempt.usage = scanner.usage;
  attempt.stopReason = scanner.stopReason;
  attempt.firstToken = scanner.firstToken;
  conclude(attempt, scanner, ending, error);
  emit(attempt);
}

/** Set `streamEnd`, and the error that goes with it. */
function conclude(attempt: Attempt, scanner: Scanner, ending: Ending, error: unknown): void {
  if (scanner.failure !== null) {
    attempt.streamEnd = "error_event";
    explain(attempt, scanner.failure);
    attempt.errorType ??= "stream_interrupted";
  } else if (scanner.done) {
    attempt.streamEnd = "complete";
  } else if (ending === "failed") {
    concludeBroken(attempt, error);
  } else if (ending === "read") {
    concludeRead(attempt, scanner);
  } else if (scanner.isStream) {
    attempt.streamEnd = ending;
  }
}

/** A body that fails was aborted by the app, or cut by whatever lies between. */
function concludeBroken(attempt: Attempt, error: unknown): void {
  const cancelled = isAbort(error) || wasCancelled(error, attempt.call.signal);
  attempt.streamEnd = cancelled ? "closed" : "transport_error";
  attempt.errorType = cancelled ? CANCELLED : "ReadError";
}

function concludeRead(attempt: Attempt, scanner: Scanner): void {
  if (scanner.isStream) {
    // Too large to read, or in a form that is not known: nobody can tell, so nobody cries wolf.
    attempt.streamEnd = scanner.off ? null : "truncated";
    attempt.errorType = scanner.off ? null : "stream_truncated";
  } else if (!scanner.json) {
    attempt.errorType = NON_JSON;
  }
}

