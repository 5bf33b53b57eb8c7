import { deferred } from '../common/deferred.js';
import type { Ask } from './ask.js';

/** The calls of one activation's handler, by the names that they are recorded under. */
export class Asks {
  private readonly byName = new Map<string, Ask>();
  private unanswered = 0;
  /** The call that nothing was asked beside so far. */
  private sole?: Ask;
  /** Grows with whatever the handler asks or is told. */
  activity = 0;

  /** Whether the handler waits for nothing. */
  get none(): boolean {
    return this.unanswered === 0;
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  get(name: string): Ask | undefined {
    return this.byName.get(name);
  }

  /** Those that the handler still waits for, in the order of asking. */
  pending(): Ask[] {
    return [...this.byName.values()].filter((ask) => !ask.answered);
  }

  /** @returns what the handler gets */
  add(ask: Ask): Promise<unknown> {
    // alone is what nothing was asked beside, from the call to its outcome
    if (this.unanswered > 0 && this.sole !== undefined) this.sole.alone = false;
    this.sole = this.unanswered === 0 ? ask : undefined;
    ask.reply = deferred<unknown>();
    this.byName.set(ask.name, ask);
    this.activity += 1;
    this.unanswered += 1;
    return ask.reply.promise;
  }

  resolve(ask: Ask, value: unknown): void {
    this.answered(ask).resolve(value);
  }

  reject(ask: Ask, error: unknown): void {
    this.answered(ask).reject(error);
  }

  private answered(ask: Ask): NonNullable<Ask['reply']> {
    const reply = ask.reply!;
    ask.answered = true;
    // there may be thousands of them until the handler ends
    ask.reply = ask.body = ask.options = undefined;
    this.unanswered -= 1;
    this.activity += 1;
    return reply;
  }
}
