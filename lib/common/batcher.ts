import { afterDrain } from './after-drain.js';

interface Entry<I, O> {
  item: I;
  weight: number;
  reply: (output: O, item: I) => void;
  fail: (error: unknown, item: I) => void;
}

export interface BatcherOptions<I> {
  /** Items in one flush, at most. */
  limit: number;
  /** Sum of weights in one flush, at most; one heavier item goes alone. */
  weightLimit?: number;
  weigh?: (item: I) => number;
  /** Whether a failed flush may be the fault of one item: it is then halved until that one stands alone. */
  mayBeOneItem?: (error: unknown) => boolean;
}

/** Group commit: items that come while a flush is in flight go out together in the next one, and when none is in flight
 *  they go at once. There is no interval, so a lone item never waits and nothing acknowledged is ever in memory only. */
export class Batcher<I, O> {
  private waiting: Entry<I, O>[] = [];
  private scheduled = false;
  private inFlight = false;
  private idleWaiters: (() => void)[] = [];

  constructor(
    /** Replies in the order of the items. */
    private readonly flush: (items: I[]) => Promise<O[]>,
    private readonly options: BatcherOptions<I>,
  ) {}

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => this.post(item, resolve, reject));
  }

  /** As `add`, for where a promise an item is too much. Neither callback may throw. */
  post(
    item: I,
    reply: (output: O, item: I) => void,
    fail: (error: unknown, item: I) => void,
  ): void {
    this.waiting.push({ item, weight: this.options.weigh?.(item) ?? 0, reply, fail });
    this.schedule();
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    if (this.waiting.length === 0 && !this.inFlight) return;
    await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  private schedule(): void {
    if (this.scheduled || this.inFlight) return;
    this.scheduled = true;
    // what is added in the same burst of microtasks belongs to the same flush
    afterDrain(() => {
      this.scheduled = false;
      void this.run();
    });
  }

  private async run(): Promise<void> {
    this.inFlight = true;
    try {
      await this.send(this.take());
    } finally {
      this.inFlight = false;
      if (this.waiting.length > 0) {
        this.schedule();
      } else {
        for (const resolve of this.idleWaiters.splice(0)) resolve();
      }
    }
  }

  private take(): Entry<I, O>[] {
    const weightLimit = this.options.weightLimit ?? Infinity;
    let count = 0;
    let weight = 0;
    while (count < this.waiting.length && count < this.options.limit) {
      weight += this.waiting[count]!.weight;
      if (weight > weightLimit && count > 0) break;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }

  /** Never throws: every entry gets its reply. */
  private async send(entries: Entry<I, O>[]): Promise<void> {
    let replies: O[];
    try {
      replies = await this.flush(entries.map((entry) => entry.item));
    } catch (error) {
      if (entries.length > 1 && this.options.mayBeOneItem?.(error)) {
        const half = Math.ceil(entries.length / 2);
        await this.send(entries.slice(0, half));
        await this.send(entries.slice(half));
        return;
      }
      for (const { item, fail } of entries) fail(error, item);
      return;
    }
    entries.forEach(({ item, reply }, index) => reply(replies[index]!, item));
  }
}
