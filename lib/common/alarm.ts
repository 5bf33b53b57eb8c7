import type { Clock, Timer } from './clock.js';

/** Rings once, at the earliest of the times that it was set to. */
export class Alarm {
  private timer?: Timer;
  private at = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly ring: () => void,
  ) {}

  get isSet(): boolean {
    return this.at !== Infinity;
  }

  set(delayMs: number): void {
    const at = this.clock.now() + delayMs;
    if (at >= this.at) return;
    this.clock.stopTimer(this.timer);
    this.at = at;
    this.timer = this.clock.startTimer(delayMs, () => {
      this.at = Infinity;
      this.ring();
    });
  }

  clear(): void {
    this.clock.stopTimer(this.timer);
    this.at = Infinity;
  }
}
