/**
 * Bodies: a response passes on to the app as it is, and how its body ended is told once.
 *
 * The response stays the same object. Its own `json`, `text`, `body` and so on stand before those of its class; each
 * reads through the real one, so nothing is read ahead of the app and nothing twice.
 */

import { fault } from "./guard.js";
import type { Scanner } from "./scanners.js";

/** How reading a body ended, before anybody knows what was in it. */
export type Ending = "read" | "failed" | "closed" | "dropped";

export type Finish = (scanner: Scanner, ending: Ending, error: unknown) => void;

/** A body that is being read. It must never refer to the stream, or that could not be collected. */
class Reading {
  #finish: Finish | null;

  constructor(
    readonly scanner: Scanner,
    finish: Finish,
  ) {
    this.#finish = finish;
  }

  see(chunk: Uint8Array): void {
    if (this.scanner.off) return;
    try {
      this.scanner.feed(chunk);
    } catch (error) {
      this.scanner.giveUp(); // the app's bytes go on
      fault("stream", error);
    }
  }

  end(ending: Ending, error: unknown = null): void {
    const finish = this.#finish;
    if (finish === null) return;
    this.#finish = null;
    dropped?.unregister(this);
    try {
      finish(this.scanner, ending, error);
    } catch (mistake) {
      fault("stream", mistake);
    }
  }
}

/** Null where the runtime has none: there, nobody tells of a stream that was dropped. */
const dropped =
  typeof FinalizationRegistry === "undefined"
    ? null
    : new FinalizationRegistry<Reading>((reading) => reading.end("dropped"));

/**
 * See what passes when the app reads this response; returns whether it can be seen.
 *
 * A body that is no web stream, as of some replacements of `fetch`, cannot.
 */
export function observeBody(response: Response, scanner: Scanner, finish: Finish): boolean {
  const inner = response.body as ReadableStream<Uint8Array> | null | undefined;
  if (!inner || typeof inner.getReader !== "function") return false;
  const reading = new Reading(scanner, finish);
  const stream = passing(response, reading);
  Object.defineProperties(response, {
    body: { configurable: true, get: () => stream },
    ...whole(response, reading),
  });
  dropped?.register(stream, reading, reading);
  return true;
}

/** Return a stream of the response's bytes, that asks for them when it is asked. */
function passing(response: Response, reading: Reading): ReadableStream<Uint8Array> {
  // Asked of the class, and only when it is needed: `clone()` replaces the inner body.
  const inner = (): ReadableStream<Uint8Array> => bodyOf(response);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= inner().getReader();
        let next;
        try {
          next = await reader.read();
        } catch (error) {
          reading.end("failed", error);
          throw error;
        }
        if (next.done) {
          reading.end("read");
          controller.close();
        } else {
          reading.see(next.value);
          controller.enqueue(next.value);
        }
      },
      cancel(reason) {
        reading.end("closed");
        return reader ? reader.cancel(reason) : inner().cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return withByteReader(stream, () => {
    reading.scanner.giveUp();
    reading.end("read");
    return inner();
  });
}

/** Give a stream the reader of its inner body, to whoever brings a buffer of his own; what he reads is not seen. */
function withByteReader(
  stream: ReadableStream<Uint8Array>,
  unseen: () => ReadableStream<Uint8Array>,
): ReadableStream<Uint8Array> {
  const getReader = stream.getReader.bind(stream) as (options?: unknown) => unknown;
  Object.defineProperty(stream, "getReader", {
    configurable: true,
    value: (options?: ReadableStreamGetReaderOptions) =>
      options?.mode === "byob" ? unseen().getReader({ mode: "byob" }) : getReader(options),
  });
  return stream;
}

function bodyOf(response: Response): ReadableStream<Uint8Array> {
  let kind: object | null = Object.getPrototypeOf(response);
  while (kind !== null) {
    const found = Object.getOwnPropertyDescriptor(kind, "body");
    if (found?.get) return found.get.call(response) as ReadableStream<Uint8Array>;
    kind = Object.getPrototypeOf(kind);
  }
  throw new TypeError("response.body: no such property");
}

type Read = (this: Response) => Promise<unknown>;

/** Return the methods that read a body as a whole, observed. */
function whole(response: Response, reading: Reading): PropertyDescriptorMap {
  const { scanner } = reading;
  const observed = (name: keyof Response, take: (value: unknown) => void): PropertyDescriptor => {
    const read = response[name] as Read | undefined;
    if (typeof read !== "function") return { configurable: true, writable: true, value: read };
    return { configurable: true, writable: true, value: () => readWhole(read.call(response), reading, take) };
  };
  return {
    json: observed("json", (value) => scanner.take(value)),
    text: observed("text", (value) => reading.see(new TextEncoder().encode(value as string))),
    arrayBuffer: observed("arrayBuffer", (value) => reading.see(new Uint8Array(value as ArrayBuffer))),
    bytes: observed("bytes" as keyof Response, (value) => reading.see(value as Uint8Array)),
    blob: observed("blob", () => scanner.giveUp()),
    formData: observed("formData", () => scanner.giveUp()),
  };
}

async function readWhole(
  value: Promise<unknown>,
  reading: Reading,
  take: (value: unknown) => void,
): Promise<unknown> {
  let body: unknown;
  try {
    body = await value;
  } catch (error) {
    // The text was there, and was no JSON.
    const isWhole = error instanceof SyntaxError;
    if (isWhole) reading.scanner.take(undefined);
    reading.end(isWhole ? "read" : "failed", error);
    throw error;
  }
  try {
    take(body);
  } catch (mistake) {
    reading.scanner.giveUp();
    fault("stream", mistake);
  }
  reading.end("read");
  return body;
}
