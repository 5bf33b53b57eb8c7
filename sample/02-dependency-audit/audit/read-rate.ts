import { setTimeout as sleep } from 'node:timers/promises';

/** A shorter wait costs more than it slows down. */
const SHORTEST_WAIT_MS = 5;

/** Bounds what one process reads, so that an audit leaves the disk to whoever else needs it. */
export class ReadRate {
  private freeAt = 0;

  constructor(private readonly bytesPerSecond: number) {}

  /** Resolves when so many bytes may be read. Waiters are served in turn. */
  async take(bytes: number): Promise<void> {
    const now = performance.now();
    this.freeAt = Math.max(now, this.freeAt) + (bytes / this.bytesPerSecond) * 1_000;
    const wait = this.freeAt - now;
    if (wait > SHORTEST_WAIT_MS) await sleep(wait);
  }
}
