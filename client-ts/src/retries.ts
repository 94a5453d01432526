/**
 * Whether the SDK will try again, and after how long: a mirror of its decision, without its side effects.
 *
 * The SDK's own `shouldRetry` must not be asked: on a 401 it throws away the client's cached token.
 *
 * Source:
 *   @anthropic-ai/sdk 1.14, `client.ts` (`makeRequest`, `shouldRetry`, `retryRequest`)
 *   and `core/middleware.ts` (`isRetryableError`).
 */

/** The longest pause that one timer can be; the SDK chooses itself where the API asks for more. */
export const LONGEST_SLEEP_MS = 2 ** 31 - 1;

/** Return whether the SDK retries such an answer, if it has retries left. */
export function retryableResponse(status: number, headers: Headers): boolean {
  const said = headers.get("x-should-retry");
  if (said === "true") return true;
  if (said === "false") return false;
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

/**
 * Return whether the SDK retries after this error, if it has retries left.
 *
 * @param adapted Whether the client rewrites requests for another platform: what its own code throws there, such as
 *   missing credentials, is not tried again. Without that, everything that is thrown comes from `fetch`.
 */
export function retryableError(error: unknown, adapted: boolean): boolean {
  if (!adapted || isTimeout(error)) return true;
  return causesOf(error).some(
    (cause) =>
      isAbort(cause) ||
      /^(APIConnection(Timeout)?|Retryable)Error$/.test(className(cause)) ||
      // How `fetch` says that a server could not be reached, in every runtime.
      (cause instanceof TypeError && (cause.cause !== undefined || /fetch/i.test(cause.message))),
  );
}

/** Return whether an error is a timeout, as the SDK decides it. */
export function isTimeout(error: unknown): boolean {
  if (isAbort(error)) return true;
  const cause = error instanceof Error && "cause" in error ? String(error.cause) : "";
  return /timed? ?out/i.test(String(error) + cause);
}

/** Return whether an error says that a request was aborted: by a timeout or by the app. */
export function isAbort(error: unknown): boolean {
  return typeof error === "object" && error !== null && (error as { name?: unknown }).name === "AbortError";
}

/** Return the seconds the SDK sleeps because the API said so; null when it chooses itself. */
export function retryAfterS(headers: Headers, now: number = Date.now()): number | null {
  const milliseconds = parseFloat(headers.get("retry-after-ms") ?? "");
  const asked = milliseconds ? milliseconds : askedMs(headers.get("retry-after"), now);
  return asked > 0 && asked <= LONGEST_SLEEP_MS ? asked / 1000 : null;
}

function askedMs(after: string | null, now: number): number {
  if (after === null) return NaN;
  const seconds = parseFloat(after);
  return Number.isNaN(seconds) ? Date.parse(after) - now : seconds * 1000;
}

/** Return an error and what caused it, the outermost first. */
export function causesOf(error: unknown): object[] {
  const causes: object[] = [];
  let current: unknown = error;
  while (typeof current === "object" && current !== null && !causes.includes(current)) {
    causes.push(current);
    current = (current as { cause?: unknown }).cause;
  }
  return causes;
}

/** Return the name of an error's class: the SDK's errors all have the `name` "Error". */
export function className(error: unknown): string {
  if (typeof error !== "object" || error === null) return typeof error;
  const { name } = error as { name?: unknown };
  return typeof name === "string" && name !== "" && name !== "Error" ? name : error.constructor?.name || "Error";
}
