import type { Clock, Timer } from './clock.js';

/** Does something again and again: one run at a time, the next one an interval after the last began, at once if that is past.
 *  A run that fails is reported and does not end the loop. */
export class Loop {
  private timer?: Timer;
  private current?: Promise<void>;
  private stopped = true;
  private running = false;
  private hurried = false;

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

  /** A run at once, or right after the one in progress. */
  hurry(): void {
    if (this.stopped) return;
    if (this.running) return void (this.hurried = true);
    this.clock.stopTimer(this.timer);
    this.plan(0);
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
    this.running = true;
    this.hurried = false;
    try {
      await this.work();
    } catch (error) {
      this.failed(error);
    }
    this.running = false;
    if (this.stopped) return;
    this.plan(this.hurried ? 0 : Math.max(0, began + this.intervalMs() - this.clock.now()));
  }
}
