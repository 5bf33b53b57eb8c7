import { deferred } from '../common/deferred.js';
import type { Clock, Timer } from '../common/clock.js';
import { ConductorStoppedError } from '../errors/conductor-stopped.error.js';
import type { Ending, ExecutionReader } from '../persistence/repositories/execution.reader.js';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 250;

/** How often to look whether what has not ended is still there. Retention keeps an outcome for ten minutes at least, but whoever waits
 *  may have been frozen, or without the database, for longer. */
const RECHECK_MS = 60_000;

/** `gone`: it was there when the wait began. */
type Answer = Ending | 'timeout' | 'unknown' | 'gone';

interface Waiting {
  id: string;
  answer: (answer: Answer) => void;
  fail: (error: unknown) => void;
  /** When it was last seen to exist. */
  knownAt?: number;
}

/** Waits for outcomes: one query a round for everybody in this process who waits, the rounds 10 ms apart at first and up to
 *  250 ms while nothing ends. */
export class ResultWaiter {
  private waiting = new Set<Waiting>();
  private timer?: Timer;
  private pauseMs = FIRST_PAUSE_MS;
  private asking = false;
  private closed = false;

  constructor(
    private readonly reader: ExecutionReader,
    private readonly clock: Clock,
  ) {}

  async wait(id: string, timeoutMs: number | undefined): Promise<Answer> {
    if (this.closed) throw new ConductorStoppedError('result');
    const { promise, resolve, reject } = deferred<Answer>();
    const entry: Waiting = { id, answer: resolve, fail: reject };
    this.waiting.add(entry);
    this.pauseMs = FIRST_PAUSE_MS;
    this.plan(0);
    const timeout =
      timeoutMs === undefined
        ? undefined
        : this.clock.startTimer(timeoutMs, () => this.settle(entry, () => resolve('timeout')));
    try {
      return await promise;
    } finally {
      this.clock.stopTimer(timeout);
    }
  }

  close(): void {
    this.closed = true;
    this.clock.stopTimer(this.timer);
    for (const entry of this.waiting)
      this.settle(entry, () => entry.fail(new ConductorStoppedError('result')));
  }

  private settle(entry: Waiting, tell: () => void): void {
    if (this.waiting.delete(entry)) tell();
  }

  private plan(delayMs: number): void {
    if (this.asking || this.closed) return;
    this.clock.stopTimer(this.timer);
    this.timer = this.clock.startTimer(delayMs, () => void this.ask());
  }

  private async ask(): Promise<void> {
    this.asking = true;
    const round = [...this.waiting];
    try {
      await this.askFor(round);
    } catch {
      // the database is away for the moment: what was accepted is still there, and so is who waits for it
    }
    this.asking = false;
    this.pauseMs = Math.min(this.pauseMs * 1.3, LONGEST_PAUSE_MS);
    if (this.waiting.size > 0) this.plan(this.pauseMs);
  }

  private async askFor(round: Waiting[]): Promise<void> {
    const endings = new Map(
      (await this.reader.endings([...new Set(round.map(({ id }) => id))])).map((ending) => [
        ending.id,
        ending,
      ]),
    );
    for (const entry of round) {
      const ending = endings.get(entry.id);
      if (ending === undefined) continue;
      this.settle(entry, () => entry.answer(ending));
      this.pauseMs = FIRST_PAUSE_MS;
    }
    const now = this.clock.now();
    const doubtful = round.filter(
      (entry) =>
        this.waiting.has(entry) &&
        (entry.knownAt === undefined || now - entry.knownAt > RECHECK_MS),
    );
    if (doubtful.length === 0) return;
    const known = await this.reader.known(doubtful.map(({ id }) => id));
    for (const entry of doubtful) {
      if (known.has(entry.id)) entry.knownAt = now;
      else this.settle(entry, () => entry.answer(entry.knownAt === undefined ? 'unknown' : 'gone'));
    }
  }
}
