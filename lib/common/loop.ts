import type { Clock, Timer } from './clock.js';

/** Does something again and again: one run at a time, the next one an interval after the last began, at once if that is past.
 *  A run that fails is reported and does not end the loop. */
export class Loop {
  private timer?: Timer;
  private current?: Promise<void>;
  private stopped = true;

  constructor(
    private readonly work: () => Promise<void>,
    private readonly intervalMs: () => number,
    private readonly failed: (error: unknown) => void,
    private readonly clock: Clock,
  ) {}

  start(): void {
    this.stopped = false;
    this.plan(this.intervalMs());
  }

  /** Resolves when the run in progress has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.clock.stopTimer(this.timer);
    await this.current;
  }

  private plan(delayMs: number): void {
    this.timer = this.clock.startTimer(delayMs, () => {
      this.current = this.run();
    });
  }

  private async run(): Promise<void> {
    const began = this.clock.now();
    try {
      await this.work();
    } catch (error) {
      this.failed(error);
    }
    if (!this.stopped) this.plan(Math.max(0, began + this.intervalMs() - this.clock.now()));
  }
}
