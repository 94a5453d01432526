/**
 * observing: where the hooks meet the SDK, and the public functions that switch them on and off.
 *
 * `instrument()` wraps one method of the SDK's base class, which reaches every client; `watch()` wraps it on one client
 * and its copies, and changes nobody's classes. It makes no copy itself: to construct a client can begin a login.
 */

import { BaseAnthropic } from "@anthropic-ai/sdk";

import { hooked, type MakeRequest } from "./calls.js";
import { fault, faults, warnOnce } from "./guard.js";
import { innermost, middleware } from "./middleware.js";
import { readSettings, type Settings, type SettingsArguments } from "./settings.js";
import { Shipper, type Stats } from "./shipper.js";
import { STATE } from "./state.js";

/** What `watch()` takes: any client of the SDK, of whichever copy and platform. */
export interface WatchableClient {
  withOptions(options: never): unknown;
  readonly maxRetries: number;
}

interface Inside {
  makeRequest?: MakeRequest;
  withOptions(options: object): Inside;
  middleware?: readonly unknown[];
}

interface Patch {
  readonly kind: Inside;
  readonly original: MakeRequest;
  readonly ours: MakeRequest;
}

const patches: Patch[] = [];

/**
 * Observe every Claude API client of this process, whenever and by whomever it is made.
 *
 * May be called again: the last settings hold, and without any those before. Never throws, never blocks.
 *
 * @param sdk Another copy of the SDK's `Anthropic` class, where the app has two: one by `import`, one by `require`.
 */
export function instrument(settings: SettingsArguments = {}, sdk?: { readonly prototype: object }): void {
  guarded("instrument", () => {
    const chosen = chosenSettings(settings);
    if (!chosen.enabled) return uninstrument();
    for (const kind of [BaseAnthropic, ...(sdk ? [sdk] : [])]) patch(kind.prototype as unknown as Inside);
    configure(chosen);
    STATE.active = true;
  });
}

/** Observe no more, and put the SDK back as it was. What is queued is still sent. Never throws. */
export function uninstrument(): void {
  STATE.active = false;
  for (const { kind, original, ours } of patches.splice(0)) {
    // Somebody else may have wrapped it since; then ours stays inside, and sees that it is off.
    if (kind.makeRequest === ours) kind.makeRequest = original;
  }
}

/**
 * Observe this client and the copies that are made of it; returns the same client. No class is patched.
 *
 * `settings` are those of `instrument()`, and hold for the whole process. Never throws.
 */
export function watch<Client extends WatchableClient>(client: Client, settings: SettingsArguments = {}): Client {
  guarded("watch", () => {
    const chosen = chosenSettings(settings);
    if (!chosen.enabled) return;
    if (typeof (client as Partial<Client> | null)?.withOptions !== "function") {
      warnOnce("watch", "watch: give it an Anthropic client");
      return;
    }
    configure(chosen);
    cover(client as unknown as Inside);
  });
  return client;
}

/** Put the hook on a client, once; returns the same client. */
function cover(client: Inside): Inside {
  const { makeRequest, withOptions } = client;
  if (makeRequest === undefined) {
    // Another shape of the SDK: what it documents is there still.
    if (!client.middleware?.includes(middleware)) client.middleware = [...(client.middleware ?? []), middleware];
  } else if (!Object.hasOwn(client, "makeRequest")) {
    const own = { configurable: true, writable: true, enumerable: false };
    Object.defineProperties(client, {
      makeRequest: { ...own, value: hooked(makeRequest, innermost, () => true) },
      withOptions: { ...own, value: (options: object) => cover(withOptions.call(client, options)) },
    });
  }
  return client;
}

function patch(kind: Inside): void {
  let owner: Inside | null = kind;
  while (owner !== null && !Object.hasOwn(owner, "makeRequest")) owner = Object.getPrototypeOf(owner) as Inside | null;
  const original = owner?.makeRequest;
  if (owner === null || original === undefined) {
    warnOnce("patch", "instrument: this @anthropic-ai/sdk has another shape: use watch(client)");
    return;
  }
  if (patches.some((done) => done.kind === owner)) return;
  const ours = hooked(original, innermost, () => STATE.active);
  owner.makeRequest = ours;
  patches.push({ kind: owner, original, ours });
}

/** Return the settings of these arguments; without any, those that hold already. */
function chosenSettings(given: SettingsArguments): Settings {
  return Object.keys(given).length === 0 && STATE.shipper !== null ? STATE.settings : readSettings(given);
}

/** Make settings hold from now on; what was queued under the old ones is sent as they say, once. */
function configure(settings: Settings): void {
  const old = shipper();
  if (old !== null && !old.stopped && JSON.stringify(old.settings) === JSON.stringify(settings)) return;
  STATE.settings = settings;
  STATE.shipper = new Shipper(settings);
  if (old !== null) old.retire();
  else if (typeof process !== "undefined") process.on?.("beforeExit", () => void atExit());
}

function shipper(): Shipper | null {
  return STATE.shipper as Shipper | null;
}

/** Send the last events, once nothing else keeps the process alive. */
async function atExit(): Promise<void> {
  const last = shipper();
  if (last?.isWaiting) await last.drain(last.settings.exitTimeoutS);
}

/** Send what is queued; resolves to whether all was answered within `timeoutS` seconds. Never rejects. */
export async function flush(timeoutS = 5): Promise<boolean> {
  return (await guardedAsync("flush", async () => (await shipper()?.flush(timeoutS)) ?? true)) ?? false;
}

/** Send what is queued and stop; resolves to whether nothing was lost. `instrument()` begins anew. Never rejects. */
export async function shutdown(timeoutS = 2): Promise<boolean> {
  STATE.active = false;
  return (await guardedAsync("shutdown", async () => (await shipper()?.shutdown(timeoutS)) ?? true)) ?? false;
}

/** Return what became of the events of this process. */
export function stats(): Stats {
  const nothing = { queued: 0, sent: 0, rejected: 0, dropped: {}, batches: 0, retries: 0, faults: faults.count };
  return shipper()?.stats() ?? nothing;
}

function guarded<Result>(where: string, run: () => Result): Result | undefined {
  try {
    return run();
  } catch (error) {
    fault(where, error);
    return undefined;
  }
}

async function guardedAsync<Result>(where: string, run: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await run();
  } catch (error) {
    fault(where, error);
    return undefined;
  }
}

