import type { StepRecord } from './step-record.js';

export interface TaskReference {
  id: number;
  name: string;
  queue: string;
}

/** An execution with the right to run it: what a claim hands to the worker. */
export interface ClaimedExecution {
  id: string;
  /** The fence: drawn by the claim, checked by every later write. */
  token: string;
  task: TaskReference;
  /** Handled failures so far; the attempt's number is one more. */
  failures: number;
  losses: number;
  /** How often it was claimed, this claim included. */
  claims: number;
  /** It took its process down too often: it runs alone in its process. */
  alone: boolean;
  priority: number;
  /** When it was claimed, by the database's clock: ms since 1970. */
  claimedAt: number;
  /** Until its deadline, from then. */
  deadlineInMs?: number;
  /** Until it expires, unless it has begun before, from then. */
  expiresInMs?: number;
  /** JSON text. */
  payload: string;
  /** JSON text; undefined where it has none. */
  headers?: string;
  records: StepRecord[];
}
