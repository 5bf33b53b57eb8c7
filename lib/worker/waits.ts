import type { RecordWrite } from '../execution/step-record.js';
import { recordOf, type Ask } from './ask.js';

/** The waits that the handler is asking for, and steps between two tries. */
export class Waits {
  private asks: Ask[] = [];

  get size(): number {
    return this.asks.length;
  }

  get nextDue(): number | undefined {
    return this.asks.length === 0 ? undefined : Math.min(...this.asks.map((ask) => ask.due!));
  }

  /** The records of all. */
  records(now: number): RecordWrite[] {
    return this.asks.map((ask) => openRecord(ask, now));
  }

  /** The records of those that are not stored yet, and are from now on. */
  takeUnsaved(now: number): RecordWrite[] {
    const unsaved = this.asks.filter((ask) => !ask.saved);
    for (const ask of unsaved) ask.saved = true;
    return unsaved.map((ask) => openRecord(ask, now));
  }

  add(ask: Ask): void {
    this.asks.push(ask);
  }

  /** It could not be stored. @returns false if it is over already */
  drop(ask: Ask): boolean {
    const at = this.asks.indexOf(ask);
    if (at !== -1) this.asks.splice(at, 1);
    return at !== -1;
  }

  /** The one that was over first, whatever the order in which they were asked for. */
  takeDue(now: number): Ask | undefined {
    const first = this.asks.reduce<Ask | undefined>(
      (a, b) => (a === undefined || b.due! < a.due! ? b : a),
      undefined,
    );
    if (first === undefined || first.due! > now) return undefined;
    this.asks.splice(this.asks.indexOf(first), 1);
    return first;
  }

  /** The database says that these are over. */
  decide(names: string[]): void {
    for (const ask of this.asks) if (names.includes(ask.name)) ask.due = Math.min(ask.due!, 0);
  }

  clear(): Ask[] {
    return this.asks.splice(0);
  }
}

function openRecord(ask: Ask, now: number): RecordWrite {
  return { ...recordOf(ask, 'open'), dueInMs: ask.due! - now };
}
