/**
 * guard: a fault of ours is told once, counted, and never reaches the app.
 *
 * Messages go to `console.warn`, which is where the SDK's own warnings go.
 */

const told = new Set<string>();

/** Counts faults of our own, in this process. */
export const faults = { count: 0 };

/** Count a fault of ours, and warn of it the first time it happens at this place. */
export function fault(where: string, error: unknown): void {
  faults.count += 1;
  warnOnce(`fault ${where} ${nameOf(error)}`, `${where}: ${describe(error)}: calls go on; events may be missing`);
}

/** Warn of what somebody can mend, once per process and key. */
export function warnOnce(key: string, message: string): void {
  if (told.has(key)) return;
  told.add(key);
  try {
    console.warn(`claxon: ${message}`);
  } catch {
    // A broken console of the app's is no reason to break the app.
  }
}

/** Warn and count anew; for tests. */
export function forget(): void {
  told.clear();
  faults.count = 0;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : typeof error;
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.constructor.name}: ${error.message}` : String(error);
}
