/** State of the client in this process: its settings, and where events go. */

import { CANCELLED } from "./failures.js";
import { fault } from "./guard.js";
import type { Attempt } from "./attempt.js";
import { DEFAULTS, type Settings } from "./settings.js";

/** Where attempts go. */
export interface Sink {
  put(attempt: Attempt): void;
}

export interface State {
  /** Whether clients that nobody watches are observed: `instrument()`. */
  active: boolean;
  /** The last given. */
  settings: Settings;
  /** Null before the first `instrument()` or `watch()`. */
  shipper: (Sink & { readonly settings: Settings }) | null;
  /** Where tests collect events; while there is one, nothing is shipped. */
  captures: Sink[];
  /** Bodies of errors that are still being read: their events are on the way. */
  readonly reading: Set<Promise<void>>;
}

const KEY = Symbol.for("claxon.state.1");
const shared = globalThis as typeof globalThis & { [KEY]?: State };

/** One for the process, though the package be loaded twice: as ESM and as CommonJS, or by two bundles. */
export const STATE: State = (shared[KEY] ??= {
  active: false,
  settings: DEFAULTS,
  shipper: null,
  captures: [],
  reading: new Set(),
});

/** Hand over an attempt that has ended. Never throws, never waits. */
export function emit(attempt: Attempt): void {
  try {
    attempt.failed = needsSomebody(attempt);
    if (STATE.captures.length > 0) STATE.captures.forEach((capture) => capture.put(attempt));
    else STATE.shipper?.put(attempt);
  } catch (error) {
    fault("emit", error);
  }
}

/** Return whether an outcome is an error, and not the app's own doing: such events are sent at once. */
function needsSomebody({ errorType, errorCode, status }: Attempt): boolean {
  if (errorCode !== null) return true;
  if (errorType !== null) return errorType !== CANCELLED;
  return status !== null && status >= 300 && status !== 499;
}
