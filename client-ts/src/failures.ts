/**
 * What a failed exchange says about itself, as far as it may leave the process.
 *
 * Of an error body only its type, its code and its message are read. The message of one error, the usage limit's,
 * becomes a code here: its wording is the only sign of a blocked account, and a rule must not depend on wording.
 */

import { causesOf, className, isTimeout } from "./retries.js";

export const USAGE_LIMIT_TEXT = "You have reached your specified API usage limits";
export const USAGE_LIMIT_CODE = "usage_limit_reached";

export const NON_JSON = "non_json_response";
export const CANCELLED = "cancelled";

/** What an error body or an error event says; every part may be missing. */
export interface Failure {
  readonly type: string | null;
  readonly code: string | null;
  readonly message: string | null;
}

export const NO_FAILURE: Failure = Object.freeze({ type: null, code: null, message: null });

/** Return what an error body says; nothing when it is not the API's, such as a proxy's page. */
export function readErrorBody(text: string): Failure {
  try {
    return failureOf((JSON.parse(text) as { error?: unknown } | null)?.error);
  } catch {
    return NO_FAILURE;
  }
}

/** Return what the `error` of a body or of an error event says. */
export function failureOf(error: unknown): Failure {
  if (typeof error !== "object" || error === null) return NO_FAILURE;
  const { type, message, details } = error as { type?: unknown; message?: unknown; details?: unknown };
  const words = text(message);
  const isUsageLimit = words?.startsWith(USAGE_LIMIT_TEXT) ?? false;
  const code = text((details as { error_code?: unknown } | null | undefined)?.error_code);
  return {
    type: text(type),
    code: code ?? (isUsageLimit ? USAGE_LIMIT_CODE : null),
    message: isUsageLimit ? null : words,
  };
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/**
 * Return the `error_type` of an attempt that threw instead of answering.
 *
 * The names are those of the Python client, so that a rule or a query reads one app like another.
 */
export function typeOfError(error: unknown, signal: AbortSignal | null): string {
  if (wasCancelled(error, signal)) return CANCELLED;
  const credentials = credentialError(error);
  if (credentials !== null) return credentials;
  return isTimeout(error) ? "APITimeoutError" : "APIConnectionError";
}

/** Return whether the app gave up: its own signal, or the SDK's word for it. */
export function wasCancelled(error: unknown, signal: AbortSignal | null): boolean {
  return signal?.aborted === true || className(error) === "APIUserAbortError";
}

/** What says that a credential is missing, and what the taxonomy calls it. The first that fits holds. */
const CREDENTIALS: readonly (readonly [RegExp, string])[] = [
  [/Could not resolve authentication method/, "CredentialsError"],
  [/^WorkloadIdentityError/, "CredentialsError"],
  [/^CredentialsProviderError|^NoCredentialsError/, "NoCredentialsError"],
  [/Could not load the default credentials/, "DefaultCredentialsError"],
  [/`apiKey` function (failed|must return)/, "CredentialsError"],
];

/**
 * Return the name of the credential error behind an error; null when there is none.
 *
 * Such an error means that no request was sent: a missing key, a token that cannot be had, a cloud login that expired.
 */
export function credentialError(error: unknown): string | null {
  for (const cause of causesOf(error)) {
    const shown = `${className(cause)}: ${(cause as { message?: unknown }).message}`;
    for (const [pattern, name] of CREDENTIALS) {
      if (pattern.test(shown)) return name;
    }
  }
  return null;
}
