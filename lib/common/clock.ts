import type { FaultPoint } from '../conductor.fault-points.js';

/** Longest delay setTimeout can hold; a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

export type Timer = ReturnType<typeof setTimeout>;

/** Local time, chance, and where faults may strike. It only triggers actions: what is stored, and every order, comes from the database's clock. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. */
  now: () => number;
  /** 0 to 1, as Math.random. */
  random: () => number;
  startTimer: (delayMs: number, fire: () => void) => Timer;
  stopTimer: (timer: Timer | undefined) => void;
  /** Nobody is told in production. A test may end the process here, or throw: then a statement's reply is lost. Not awaited, since even
   *  a turn of the microtask queue would change what is tested. */
  reach?: (point: FaultPoint) => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  random: () => Math.random(),
  startTimer: (delayMs, fire) => setTimeout(fire, Math.min(Math.max(delayMs, 0), MAX_TIMER_MS)),
  stopTimer: (timer) => clearTimeout(timer),
};

/** Half of this time to all of it: those who failed together shall not come again together. */
export function jittered(clock: Clock, ms: number): number {
  return ms * (0.5 + clock.random() / 2);
}

/** Waits for a promise, but no longer than this; leaves no timer behind. */
export async function atMost(
  clock: Clock,
  limitMs: number,
  promise: Promise<unknown>,
): Promise<void> {
  let timer: Timer | undefined;
  const limit = new Promise<void>((resolve) => (timer = clock.startTimer(limitMs, resolve)));
  try {
    await Promise.race([promise, limit]);
  } finally {
    clock.stopTimer(timer);
  }
}

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.startTimer(delayMs, resolve));
}
