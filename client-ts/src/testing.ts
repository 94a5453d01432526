/** testing: what an app's own tests need, to say which events a piece of code makes. */

import type { Attempt } from "./attempt.js";
import { toEvent, type Event } from "./recording.js";
import { STATE } from "./state.js";

/** The events that are made while it is open. */
export interface Capture {
  /** As they were made; an error's is there once its body was read. */
  readonly events: readonly Event[];
  /** Wait until the bodies of all errors so far were read. */
  settled(): Promise<readonly Event[]>;
  /** Collect no more. */
  close(): void;
}

/**
 * Collect every event that is made from now on, and ship none, until it is closed.
 *
 * No service is needed. Clients are observed as `instrument()` or `watch()` says.
 */
export function captureEvents(): Capture {
  const events: Event[] = [];
  const sink = { put: (attempt: Attempt) => void events.push(toEvent(attempt, STATE.settings)) };
  STATE.captures.push(sink);
  return {
    events,
    async settled() {
      while (STATE.reading.size > 0) await Promise.allSettled([...STATE.reading]);
      return events;
    },
    close() {
      STATE.captures = STATE.captures.filter((other) => other !== sink);
    },
  };
}

export type { Event };
