/** What a request says about itself: its model, the tokens it asks for, and its path without ids. */

/** What is read of a request's body. */
export interface Asked {
  readonly model: string | null;
  readonly tokens: number | null;
}

const NOTHING: Asked = Object.freeze({ model: null, tokens: null });

/**
 * Return the `model` and `max_tokens` of a JSON body, as it is about to be sent.
 *
 * Prompts are large, so the text is not parsed: strings are passed over by their closing quotes, and reading ends as
 * soon as both are found. Only keys of the outermost object count.
 */
export function askedIn(body: unknown): Asked {
  if (typeof body !== "string" || body.charCodeAt(0) !== OPEN) return NOTHING;
  let model: string | null = null;
  let tokens: number | null = null;
  let depth = 0;
  for (let at = 0; at < body.length; at++) {
    const code = body.charCodeAt(at);
    if (code === OPEN || code === OPEN_LIST) depth += 1;
    else if (code === CLOSE || code === CLOSE_LIST) depth -= 1;
    else if (code === QUOTE) {
      const close = closingQuote(body, at);
      if (close < 0) break;
      if (depth === 1 && body.charCodeAt(close + 1) === COLON) {
        if (model === null && body.startsWith('"model"', at)) model = stringAt(body, close + 2);
        else if (tokens === null && body.startsWith('"max_tokens"', at)) tokens = integerAt(body, close + 2);
        if (model !== null && tokens !== null) break;
      }
      at = close;
    }
  }
  return { model, tokens };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/** Return where the string that opens at `at` closes; -1 if it does not. */
function closingQuote(body: string, at: number): number {
  let close = body.indexOf('"', at + 1);
  while (close > 0) {
    let slashes = 0;
    while (body.charCodeAt(close - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return close;
    close = body.indexOf('"', close + 1);
  }
  return -1;
}

function stringAt(body: string, at: number): string | null {
  if (body.charCodeAt(at) !== QUOTE) return null;
  const value: unknown = JSON.parse(body.slice(at, closingQuote(body, at) + 1));
  return typeof value === "string" && value !== "" ? value : null;
}

function integerAt(body: string, at: number): number | null {
  const digits = /^\d{1,15}(?![\d.eE])/.exec(body.slice(at, at + 17));
  return digits ? Number(digits[0]) : null;
}

/** Return the path of an address with placeholders for ids, each of which would else be a path of its own. */
export function routeOf(path: string): string {
  const bare = pathOf(path);
  if (bare === "/v1/messages") return bare;
  const parts = bare.split("/");
  return parts.map((part, at) => (at > 1 && isId(part) ? placeholder(parts[at - 1] ?? "") : part)).join("/");
}

function pathOf(path: string): string {
  if (path.includes("://")) return new URL(path).pathname;
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

/** Ids have digits or capitals; the words of the API's addresses have neither, but for its version. */
function isId(part: string): boolean {
  return /[0-9A-Z%]/.test(part) && !/^v\d+$/.test(part);
}

function placeholder(collection: string): string {
  if (collection === "batches") return "{message_batch_id}";
  if (collection === "versions") return "{version}";
  const one = collection.replace(/ies$/, "y").replace(/s$/, "");
  return `{${one || "unknown"}_id}`;
}
