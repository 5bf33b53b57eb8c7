import type { Job } from '../subjects/subject.js';
import { now } from './now.js';

/** What a worker's process knows of the jobs of a round. */
export class Ledger {
  /** How often each job ran here. */
  readonly runs: Uint8Array;
  /** How many runs there were, of whatever job. */
  total = 0;
  /** From the asking to the handler, in ms, of jobs that say when they were asked for. */
  readonly latencies: number[] = [];
  /** What handlers have measured themselves. */
  readonly notes: Record<string, number>[] = [];
  private waiting?: { total: number; resolve: () => void };

  constructor(expected: number) {
    this.runs = new Uint8Array(expected);
  }

  readonly note = ({ n, at }: Job, notes?: Record<string, number>): void => {
    if (notes !== undefined) this.notes.push(notes);
    if (at !== undefined) this.latencies.push(now() - at);
    if (n < this.runs.length) this.runs[n]! += 1;
    this.total += 1;
    if (this.waiting !== undefined && this.total >= this.waiting.total) this.waiting.resolve();
  };

  /** Resolves with the number of runs when there are so many of them, or when the time is over. */
  async reaches(total: number, capMs: number): Promise<number> {
    if (this.total < total) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, capMs);
        this.waiting = { total, resolve: () => (clearTimeout(timer), resolve()) };
      });
      this.waiting = undefined;
    }
    return this.total;
  }
}
