/** Backlog: encoded events that wait for the service, oldest first and bounded. */

interface Waiting {
  readonly came: number;
  readonly event: string;
}

/** Keeps at most `limit` events; over it, the oldest success goes first, then the oldest error. */
export class Backlog {
  /** How many were let go. */
  dropped = 0;

  readonly #errors = new Queue();
  readonly #successes = new Queue();
  #came = 0;

  constructor(private readonly limit: number) {}

  /** How many events wait. */
  get size(): number {
    return this.#errors.length + this.#successes.length;
  }

  /** Take an event, and let another go if there is no room. */
  add(event: string, failed: boolean): void {
    this.#came += 1;
    (failed ? this.#errors : this.#successes).push({ came: this.#came, event });
    if (this.size > this.limit) {
      (this.#successes.length > 0 ? this.#successes : this.#errors).shift();
      this.dropped += 1;
    }
  }

  /** Remove and return up to `count` events of together about `size` characters, the oldest first. */
  take(count: number, size: number): string[] {
    const taken: string[] = [];
    let total = 0;
    while (taken.length < count) {
      const oldest = this.#oldest();
      const event = oldest.first?.event;
      if (event === undefined || (taken.length > 0 && total + event.length > size)) break;
      oldest.shift();
      taken.push(event);
      total += event.length + 1;
    }
    return taken;
  }

  /** Forget all events; return how many there were. */
  clear(): number {
    const gone = this.size;
    this.#errors.clear();
    this.#successes.clear();
    return gone;
  }

  #oldest(): Queue {
    const error = this.#errors.first;
    const success = this.#successes.first;
    if (error === undefined) return this.#successes;
    return success === undefined || error.came < success.came ? this.#errors : this.#successes;
  }
}

/** First in, first out, each in constant time: `Array.shift` moves all the others. */
class Queue {
  #items: Waiting[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): Waiting | undefined {
    return this.#items[this.#head];
  }

  push(item: Waiting): void {
    this.#items.push(item);
  }

  shift(): void {
    this.#head += 1;
    if (this.#head < 1024 && this.length > 0) return; // what has gone is let go in one piece
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
