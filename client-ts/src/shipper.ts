/**
 * shipper: from the app's calls to the service, one batch at a time, tried until it is answered for good.
 *
 * A call only appends to a list and perhaps sets a timer. All the rest (building events, encoding, compressing,
 * sending, waiting) happens in turns of the event loop of its own, outside of every context of the app's.
 */

import { AsyncLocalStorage } from "node:async_hooks";

import { randomHex, type Attempt } from "./attempt.js";
import { Backlog } from "./backlog.js";
import { compressed, post, type Answer, type Batch } from "./exporter.js";
import { fault, faults, warnOnce } from "./guard.js";
import { logEvent } from "./logs.js";
import { toEvent } from "./recording.js";
import type { Settings } from "./settings.js";
import { STATE } from "./state.js";

/** Characters of one request's JSON, before compression. */
export const LARGEST_BODY = 900 * 1024;

const LONGEST_BACKOFF_S = 30;

/** Answers 5xx to one batch, other than 502 to 504, before it is given up: it may be the batch's fault. */
const MOST_SERVER_ERRORS = 10;

/** What became of the events of this process. */
export interface Stats {
  /** Events that wait to be sent, now. */
  readonly queued: number;
  /** Events the service has accepted. */
  readonly sent: number;
  /** Events the service refused one by one. */
  readonly rejected: number;
  /** Events given up, by reason: `queue_full`, `refused` (the service refused the whole batch), `shutdown`, `fault`. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Requests that were answered 2xx. */
  readonly batches: number;
  /** Requests that were sent again. */
  readonly retries: number;
  /** Faults of the client's own; each is told once. */
  readonly faults: number;
}

/** Runs a function outside of the app's contexts: no span or tag of the app's is the shipping's. */
const outside: <Result>(run: () => Result) => Result = AsyncLocalStorage.snapshot?.() ?? ((run) => run());

/** Takes attempts, and ships them as events. */
export class Shipper {
  readonly #inbox: Attempt[] = [];
  readonly #backlog: Backlog;
  readonly #dropped = { queue_full: 0, refused: 0, shutdown: 0, fault: 0 };
  #sent = 0;
  #rejected = 0;
  #batches = 0;
  #retries = 0;
  /** Of those given up, how many an accepted batch has told of. */
  #reported = 0;
  #batch: Batch | null = null;
  /** Events of the current batch, also while it is being packed. */
  #inHand = 0;
  #failures = 0;
  #serverErrors = 0;
  #notBefore = 0;
  #askedToWait = false;
  #stopped = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #due = Infinity;
  #turn: Promise<void> | null = null;

  constructor(readonly settings: Settings) {
    this.#backlog = new Backlog(settings.queueSize);
  }

  /** Whether it takes no more attempts. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Take an attempt; never waits. When full, successes go before errors. */
  put(attempt: Attempt): void {
    if (this.#stopped) {
      this.#dropped.shutdown += 1;
      return;
    }
    const { queueSize, batchSize, intervalS } = this.settings;
    const inbox = this.#inbox;
    // The next turn makes room for errors by dropping successes; twice the size is the end.
    if (inbox.length + this.#backlog.size >= queueSize && !(attempt.failed && inbox.length < 2 * queueSize)) {
      this.#dropped.queue_full += 1;
      return;
    }
    inbox.push(attempt);
    this.#wake(attempt.failed || inbox.length >= batchSize ? 0 : intervalS * 1000);
  }

  /** Send what is queued now; resolves to whether all of it was answered within so many seconds. */
  async flush(timeoutS: number): Promise<boolean> {
    const deadline = performance.now() + timeoutS * 1000;
    await within(deadline, Promise.allSettled([...STATE.reading]));
    if (!this.#askedToWait) this.#notBefore = 0;
    while (this.isWaiting && performance.now() < deadline) {
      this.#wake(Math.max(0, this.#notBefore - performance.now()));
      await within(deadline, this.#turn ?? pause(Math.min(this.#due, deadline) - performance.now()));
    }
    return !this.isWaiting;
  }

  /** Flush, then stop; later attempts are dropped and counted. Gives up at the first failure to send. */
  async shutdown(timeoutS: number): Promise<boolean> {
    const deadline = performance.now() + timeoutS * 1000;
    await within(deadline, Promise.allSettled([...STATE.reading]));
    this.#stopped = true;
    return this.drain((deadline - performance.now()) / 1000);
  }

  /** Try each batch once more, for so many seconds, and give up what is left; resolves to whether nothing was. */
  async drain(timeoutS: number): Promise<boolean> {
    const deadline = performance.now() + timeoutS * 1000;
    if (this.#turn) await within(deadline, this.#turn);
    if (!this.#turn) {
      this.#cancelTimer();
      if (!this.#askedToWait) this.#notBefore = 0;
      await within(deadline, this.#begin(deadline));
    }
    return this.#abandon() === 0;
  }

  /** Whether anything waits for its answer. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  get #waiting(): number {
    return this.#inbox.length + this.#backlog.size + this.#inHand;
  }

  /** Send what is queued, and stop, without anybody waiting for it. */
  retire(): void {
    void this.shutdown(this.settings.readTimeoutS);
  }

  stats(): Stats {
    const dropped = { ...this.#dropped, queue_full: this.#dropped.queue_full + this.#backlog.dropped };
    return {
      queued: this.#waiting,
      sent: this.#sent,
      rejected: this.#rejected,
      dropped: Object.fromEntries(Object.entries(dropped).filter(([, count]) => count > 0)),
      batches: this.#batches,
      retries: this.#retries,
      faults: faults.count,
    };
  }

  // -- turns

  /** See that a turn begins in so many milliseconds, or earlier. */
  #wake(milliseconds: number): void {
    const due = Math.max(performance.now() + milliseconds, this.#notBefore);
    if (this.#turn !== null || due >= this.#due) return;
    this.#cancelTimer();
    this.#due = due;
    this.#timer = outside(() => setTimeout(() => this.#begin(), Math.max(0, due - performance.now())));
    // Waiting events do not keep a process alive; at its end they are sent (observing.ts).
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #cancelTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#due = Infinity;
  }

  #begin(deadline?: number): Promise<void> {
    this.#cancelTimer();
    this.#turn = outside(() => this.#takeTurn(deadline))
      .catch((error: unknown) => fault("shipper", error))
      .finally(() => {
        this.#turn = null;
        if (this.isWaiting) this.#wake(this.settings.intervalS * 1000);
      });
    return this.#turn;
  }

  /** Send batch after batch, until nothing is left or the service wants a pause. */
  async #takeTurn(deadline?: number): Promise<void> {
    this.#drainInbox();
    if (this.settings.url === "") {
      this.#backlog.clear();
      return;
    }
    while (performance.now() >= this.#notBefore) {
      this.#batch ??= await this.#pack();
      if (this.#batch === null) return;
      const left = deadline === undefined ? Infinity : (deadline - performance.now()) / 1000;
      if (left <= 0) return;
      const timeoutS = Math.min(left, this.settings.readTimeoutS);
      this.#heard(this.#batch, await post(this.#batch, this.settings, timeoutS));
      this.#drainInbox();
    }
  }

  /** Make events of what lies in the inbox. */
  #drainInbox(): void {
    const isWanted = this.settings.url !== "" || this.settings.logEvents;
    for (const attempt of this.#inbox.splice(0)) {
      if (!isWanted) continue;
      try {
        const event = toEvent(attempt, this.settings);
        this.#backlog.add(JSON.stringify(event), attempt.failed);
        if (this.settings.logEvents) logEvent(event, attempt.failed);
      } catch (error) {
        this.#dropped.fault += 1; // one bad event must not stop the others
        fault("recording", error);
      }
    }
  }

  async #pack(): Promise<Batch | null> {
    const events = this.#backlog.take(this.settings.batchSize, LARGEST_BODY);
    this.#inHand = events.length;
    if (events.length === 0) return null;
    const body = `[${events.join(",")}]`;
    const given = this.#dropped.queue_full + this.#backlog.dropped + this.#dropped.refused;
    const packed = { key: randomHex(16), events: events.length, dropped: Math.max(0, given - this.#reported) };
    try {
      return { ...packed, body: await compressed(body) };
    } catch (error) {
      fault("pack", error);
      return { ...packed, body };
    }
  }

  #heard(batch: Batch, answer: Answer): void {
    if (this.#batch !== batch) return; // given up meanwhile, and counted
    this.#askedToWait = false;
    if (answer.outcome === "accepted") this.#accepted(batch, answer);
    else if (answer.outcome === "refused" || this.#isHopeless(answer)) this.#refused(batch, answer);
    else this.#postpone(answer);
  }

  #accepted(batch: Batch, answer: Answer): void {
    this.#sent += answer.accepted;
    this.#rejected += answer.rejected;
    this.#batches += 1;
    this.#reported += batch.dropped;
    this.#done();
    if (answer.rejected > 0) warnOnce("rejected", `${this.settings.url}: events were rejected: ${answer.why}`);
  }

  #refused(batch: Batch, answer: Answer): void {
    this.#dropped.refused += batch.events;
    this.#done();
    const key = `refused ${answer.status}`;
    warnOnce(key, `${this.settings.url}: a batch was refused and dropped: ${answer.why}`);
  }

  #done(): void {
    this.#batch = null;
    this.#inHand = 0;
    this.#failures = this.#serverErrors = this.#notBefore = 0;
  }

  #isHopeless({ status }: Answer): boolean {
    if (status !== null && status >= 500 && ![502, 503, 504].includes(status)) this.#serverErrors += 1;
    return this.#serverErrors >= MOST_SERVER_ERRORS;
  }

  #postpone(answer: Answer): void {
    this.#retries += 1;
    const most = Math.min(LONGEST_BACKOFF_S, this.settings.backoffS * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    // Jitter, or all processes of an app would come back at the same moment.
    const jittered = most * (0.5 + Math.random() / 2);
    this.#askedToWait = answer.retryAfterS !== null;
    this.#notBefore = performance.now() + Math.max(jittered, answer.retryAfterS ?? 0) * 1000;
    if (this.#failures > 1) {
      warnOnce("unreached", `${this.settings.url}: ${answer.why}: events wait and are sent again; is it up?`);
    }
  }

  /** Give up all that waits; return how many events that were. */
  #abandon(): number {
    const gone = this.#waiting;
    this.#inbox.length = 0;
    this.#backlog.clear();
    this.#done();
    this.#cancelTimer();
    this.#dropped.shutdown += gone;
    return gone;
  }
}

/** Wait for a promise, but no longer than until a moment of `performance.now()`. Keeps the process alive meanwhile. */
async function within(deadline: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadline - performance.now()));
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(1, milliseconds)));
}
