import type { Clock, Timer } from '../common/clock.js';
import type { Database } from './database.js';
import type { DeadlineClient } from './deadline-client.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/** A connection that only listens would never notice that its other end is gone: it is asked this often. */
const LIVENESS_MS = 10_000;

/** Hears hints on a connection of its own, outside the pool, in autocommit. Everything works without it, only later. */
export class NotificationListener {
  private client?: DeadlineClient;
  private timer?: Timer;
  private pauseMs = FIRST_PAUSE_MS;
  private stopped = true;
  private channels: string[] = [];

  constructor(
    private readonly database: Database,
    private readonly heard: (channel?: string) => void,
    private readonly clock: Clock,
  ) {}

  /** Returns at once; the connection is made, and made again, in the background. */
  start(channels: string[]): void {
    this.channels = channels;
    this.stopped = false;
    void this.connect();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.clock.stopTimer(this.timer);
    const client = this.client;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const client = this.database.ownClient();
    this.client = client;
    client.on('error', () => this.lost(client));
    client.on('end', () => this.lost(client));
    client.on('notification', ({ channel }) => this.heard(channel));
    try {
      await client.connect();
      this.clock.reach?.('before-listen');
      for (const channel of this.channels) await client.query(`listen "${channel}"`);
      this.clock.reach?.('after-listen');
      this.pauseMs = FIRST_PAUSE_MS;
      this.heard(); // whatever was announced before
      this.watch(client);
    } catch {
      this.lost(client);
    }
  }

  private watch(client: DeadlineClient): void {
    if (this.client !== client) return;
    this.timer = this.clock.startTimer(LIVENESS_MS, () => {
      client.query('select 1').then(
        () => this.watch(client),
        () => this.lost(client),
      );
    });
  }

  private lost(client: DeadlineClient): void {
    if (this.client !== client) return;
    this.client = undefined;
    this.clock.stopTimer(this.timer);
    client.end().catch(() => undefined);
    if (this.stopped) return;
    this.timer = this.clock.startTimer(this.pauseMs, () => void this.connect());
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
