/**
 * Scanners read from a passing body what an event needs, and keep nothing else.
 *
 * Each is fed chunks as they pass, in any slices. Text deltas are recognised by their first bytes and skipped without
 * being parsed; what is kept between two chunks is bounded. A scanner that meets something it cannot read turns itself
 * off: then nobody says how the stream ended, rather than something wrong.
 */

import { NO_USAGE, type Usage } from "./attempt.js";
import { failureOf, type Failure } from "./failures.js";

/** Characters kept at most, of one unfinished event or one body. */
export const BOUND = 256 * 1024;

/** What is asked of a scanner. */
export interface Scanner {
  /** Whether it has given up reading. */
  readonly off: boolean;
  /** Whether the answer is complete. */
  readonly done: boolean;
  /** The error inside the stream, if there was one. */
  readonly failure: Failure | null;
  readonly usage: Usage;
  readonly stopReason: string | null;
  /** `performance.now()` at the first content; null before. */
  readonly firstToken: number | null;
  /** False when the body turned out to be no JSON. */
  readonly json: boolean;
  /** Whether an end before `done` cuts an answer in two. */
  readonly isStream: boolean;
  /** Take the next bytes. */
  feed(chunk: Uint8Array): void;
  /** Take the whole body, parsed already. */
  take(value: unknown): void;
  /** Read what was kept, and let it go. */
  finish(): void;
  /** Read no more. */
  giveUp(): void;
}

const READ = new Set(["message_start", "message_delta", "message_stop", "error"]);
const CONTENT = "content_block_delta";

/** Scans `text/event-stream`. */
export class EventScanner implements Scanner {
  off = false;
  done = false;
  failure: Failure | null = null;
  usage = NO_USAGE;
  stopReason: string | null = null;
  firstToken: number | null = null;
  readonly json = true;
  readonly isStream = true;

  readonly #decoder = new TextDecoder();
  #rest = "";
  #skipping = false;
  #known = 0;

  /** @param encoded Whether the answer names an encoding, which `fetch` has undone, and others perhaps have not. */
  constructor(private readonly encoded: boolean = false) {}

  feed(chunk: Uint8Array): void {
    if (this.off) return;
    let text = this.#decoder.decode(chunk, { stream: true });
    // JSON has no raw carriage return, so each is half of a line's end.
    if (text.includes("\r")) text = text.replaceAll("\r", "");
    const data = this.#rest + text;
    let start = 0;
    for (let end = data.indexOf("\n\n"); end >= 0; end = data.indexOf("\n\n", start)) {
      if (this.#skipping) this.#skipping = false;
      else if (!data.startsWith("event: content_block_", start)) this.#event(data.slice(start, end));
      else if (data.startsWith(CONTENT, start + 7)) this.#content();
      start = end + 2;
    }
    this.#keep(data.slice(start));
  }

  take(): void {
    this.off = true;
  }

  finish(): void {
    this.#rest = "";
    // Its last count is not the true one.
    if (!this.done) this.usage = { ...this.usage, outputTokens: null };
    if (this.encoded && this.#known === 0) this.off = true;
  }

  giveUp(): void {
    this.off = true;
    this.#rest = "";
  }

  /** Keep an unfinished event only if it will be read. */
  #keep(rest: string): void {
    if (!this.#skipping && rest.startsWith("event:")) {
      const newline = rest.indexOf("\n");
      const name = newline < 0 ? "" : rest.slice(6, newline).trim();
      if (newline >= 0 && !READ.has(name)) {
        this.#skipping = true;
        if (name === CONTENT) this.#content();
      }
    }
    if (this.#skipping) rest = rest.endsWith("\n") ? "\n" : "";
    this.#rest = rest;
    if (rest.length > BOUND) this.giveUp();
  }

  #event(event: string): void {
    let name = "";
    let data = "";
    for (const line of event.split("\n")) {
      if (line.startsWith("event:")) name = line.slice(6).trim();
      else if (line.startsWith("data:")) data += line.slice(5);
    }
    if (name === CONTENT) this.#content();
    else if (READ.has(name) && data !== "") this.#frame(JSON.parse(data) as Frame);
  }

  #content(): void {
    this.#known += 1;
    this.firstToken ??= performance.now();
  }

  #frame(frame: Frame): void {
    this.#known += 1;
    if (frame.type === "message_start") {
      // It counts 1 before there is any output; only message_delta knows.
      this.usage = { ...usageOf(frame.message?.usage), outputTokens: null };
    } else if (frame.type === "message_delta") {
      this.stopReason = reasonOf(frame.delta) ?? this.stopReason;
      // Counts are cumulative: the last one is the total.
      this.usage = merged(this.usage, usageOf(frame.usage));
    } else if (frame.type === "message_stop") {
      this.done = true;
    } else if (frame.type === "error") {
      this.failure = failureOf(frame.error);
    }
  }
}

interface Frame {
  readonly type?: unknown;
  readonly message?: { readonly usage?: unknown };
  readonly delta?: unknown;
  readonly usage?: unknown;
  readonly error?: unknown;
}

/** Keeps a body that is no event stream, to read its usage at the end. */
export class BodyScanner implements Scanner {
  off = false;
  readonly done = false;
  readonly failure = null;
  usage = NO_USAGE;
  stopReason: string | null = null;
  readonly firstToken = null;
  json = true;
  readonly isStream = false;

  readonly #decoder = new TextDecoder();
  #kept = "";

  feed(chunk: Uint8Array): void {
    if (this.off) return;
    this.#kept += this.#decoder.decode(chunk, { stream: true });
    if (this.#kept.length > BOUND) this.giveUp();
  }

  take(value: unknown): void {
    this.off = true;
    this.#read(value);
  }

  finish(): void {
    if (this.off) return;
    try {
      this.#read(JSON.parse(this.#kept));
    } catch {
      this.json = false;
    }
    this.#kept = "";
  }

  giveUp(): void {
    this.off = true;
    this.#kept = "";
  }

  #read(value: unknown): void {
    this.json = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!this.json) return;
    this.usage = usageOf((value as { usage?: unknown }).usage);
    this.stopReason = reasonOf(value);
  }
}

/** Return what can read such a body. */
export function scannerFor(headers: Headers): Scanner {
  const encoding = headers.get("content-encoding") ?? "identity";
  const isStream = headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  return isStream ? new EventScanner(encoding !== "identity") : new BodyScanner();
}

function reasonOf(value: unknown): string | null {
  const reason = (value as { stop_reason?: unknown } | null | undefined)?.stop_reason;
  return typeof reason === "string" && reason !== "" ? reason : null;
}

function usageOf(value: unknown): Usage {
  if (typeof value !== "object" || value === null) return NO_USAGE;
  const counts = value as Record<string, unknown>;
  return {
    inputTokens: countOf(counts["input_tokens"]),
    outputTokens: countOf(counts["output_tokens"]),
    cacheReadTokens: countOf(counts["cache_read_input_tokens"]),
    cacheWriteTokens: countOf(counts["cache_creation_input_tokens"]),
  };
}

function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function merged(before: Usage, now: Usage): Usage {
  return {
    inputTokens: now.inputTokens ?? before.inputTokens,
    outputTokens: now.outputTokens ?? before.outputTokens,
    cacheReadTokens: now.cacheReadTokens ?? before.cacheReadTokens,
    cacheWriteTokens: now.cacheWriteTokens ?? before.cacheWriteTokens,
  };
}
