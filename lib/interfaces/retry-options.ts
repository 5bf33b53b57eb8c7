import type { Duration } from './duration.js';

/** `attempt` is the attempt that has just failed, counted from 1; the result is the wait before the next one. */
export type BackoffFunction = (attempt: number, error: unknown) => Duration;

export interface BackoffOptions {
  type: 'exponential' | 'fixed';
  /** The first wait. Default `'15s'`. */
  delay?: Duration;
  /** How much each wait grows; exponential only. Default 2. */
  factor?: number;
  /** The longest wait. Default `'1h'`. */
  max?: Duration;
  /** The share by which a wait is moved up or down at random, 0 to 1. Default 0.1 for exponential, 0 for fixed. */
  jitter?: number;
}

export type Backoff = 'exponential' | 'fixed' | BackoffOptions | BackoffFunction;

export interface RetryOptions {
  /** How many attempts may fail before it is over, the first one counted. Default 3 for tasks, 1 for steps. */
  maxAttempts?: number;
  /** How long to wait between attempts. Default `'exponential'`: 15 s doubling up to 1 h, ±10 %. */
  backoff?: Backoff;
}
