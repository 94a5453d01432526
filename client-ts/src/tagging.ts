/**
 * context: the app's own words for what it is doing, on every event made inside.
 *
 * An AsyncLocalStorage carries them, so requests that run at the same time do not see each other's.
 */

import { AsyncLocalStorage } from "node:async_hooks";

import { fault } from "./guard.js";

export const MAX_ATTRIBUTES = 16;
export const MAX_ATTRIBUTE = 256;

export interface Tags {
  /** The app's route, such as `checkout/summary`: what "the same path" means to the rules. Never put an id in it. */
  readonly path?: string | undefined;
  /** Overrides the setting, for several apps in one process. */
  readonly app?: string | undefined;
  /** Overrides the setting. */
  readonly environment?: string | undefined;
  /** Flat evidence for a page, such as `{ tenant: "acme" }`; at most 16, each cut at 256 characters. */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined;
}

/** What the blocks around the current code say, joined. */
export interface CurrentTags {
  readonly path: string | null;
  readonly app: string | null;
  readonly environment: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
}

export const NO_TAGS: CurrentTags = Object.freeze({ path: null, app: null, environment: null, attributes: null });

const storage = new AsyncLocalStorage<CurrentTags>();

/** Return what the blocks around this code say. */
export function currentTags(): CurrentTags {
  return storage.getStore() ?? NO_TAGS;
}

/**
 * Run a function, and say what the calls inside it are for; returns what the function returns.
 *
 * Blocks nest: the innermost value wins, and attributes are joined. What the function throws is the app's own.
 */
export function context<Result>(tags: Tags, run: () => Result): Result {
  return storage.run(joined(currentTags(), tags), run);
}

function joined(outer: CurrentTags, inner: Tags): CurrentTags {
  return {
    path: cut(inner.path, 200) || outer.path,
    app: cut(inner.app, 64) || outer.app,
    environment: cut(inner.environment, 64) ?? outer.environment,
    attributes: inner.attributes ? flat({ ...outer.attributes, ...inner.attributes }) : outer.attributes,
  };
}

function cut(value: unknown, limit: number): string | null {
  return value === undefined || value === null ? null : String(value).slice(0, limit);
}

/** Return the newest attributes as flat strings; a value that has no text is left out. */
function flat(attributes: Readonly<Record<string, unknown>>): Record<string, string> | null {
  const texts: [string, string][] = [];
  for (const [name, value] of Object.entries(attributes)) {
    try {
      texts.push([name.slice(0, 64), String(value).slice(0, MAX_ATTRIBUTE)]);
    } catch (error) {
      fault("context", error); // toString is the app's code
    }
  }
  return texts.length > 0 ? Object.fromEntries(texts.slice(-MAX_ATTRIBUTES)) : null;
}
