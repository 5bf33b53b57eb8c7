import type { Clock, Timer } from '../common/clock.js';
import type { Database } from './database.js';

/** At most one notification a channel in this time: one in each insert halves the rate of enqueueing, since commits that
 *  notify queue up behind one lock. */
const QUIET_MS = 10;

/** Wakes listeners. The first notification of a quiet period travels with its insert; those that follow within 10 ms share
 *  one that is sent when they are over. A lost one costs the time until the next heartbeat, nothing else. */
export class Notifier {
  private readonly recent = new Map<string, { again: boolean; timer: Timer }>();

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** @returns the channels that the statement about to be sent shall notify itself; the others have to be told once it is committed. */
  take(channels: string[]): string[] {
    return [...new Set(channels)].filter((channel) => {
      if (this.recent.has(channel)) return false;
      this.rest(channel);
      return true;
    });
  }

  /** Wakes the listeners of these channels: there is something for them already. */
  tell(channels: string[]): void {
    for (const channel of new Set(channels)) {
      const last = this.recent.get(channel);
      if (last !== undefined) {
        last.again = true;
      } else {
        this.rest(channel);
        this.send(channel);
      }
    }
  }

  /** Of these, which `take` gave, nothing was told after all. What came since goes without waiting for the time to be over. */
  unsent(channels: string[]): void {
    for (const channel of channels) {
      const { again, timer } = this.recent.get(channel) ?? { again: false };
      this.clock.stopTimer(timer);
      this.recent.delete(channel);
      if (again) this.tell([channel]);
    }
  }

  close(): void {
    for (const { timer } of this.recent.values()) this.clock.stopTimer(timer);
    this.recent.clear();
  }

  private rest(channel: string): void {
    const timer = this.clock.startTimer(QUIET_MS, () => {
      const { again } = this.recent.get(channel)!;
      this.recent.delete(channel);
      if (!again) return;
      this.rest(channel);
      this.send(channel);
    });
    this.recent.set(channel, { again: false, timer });
  }

  /** Only a hint: what it would have announced is found by the next heartbeat. */
  private send(channel: string): void {
    this.database.statement.run(`select pg_notify($1, '')`, [channel]).catch(() => undefined);
  }
}
