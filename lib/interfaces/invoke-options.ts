import type { Duration } from './duration.js';

export interface InvokeOptions {
  /** A UUID of the caller's, which makes the invoke idempotent: a known id answers `existing` and creates nothing. */
  id?: string;
  /** How long to wait before it may start, measured by the database. Not together with `runAt`. */
  delay?: Duration;
  /** When it may start. Not together with `delay`. */
  runAt?: Date;
  /** Higher runs first, -32768 to 32767. Default: the task's own priority, else 0. */
  priority?: number;
  /** In place of the task's own `expireAfter`. */
  expireAfter?: Duration;
  /** In place of the task's own `deadline`: a duration from the time at which it may start, or an instant. */
  deadline?: Duration | Date;
  /** What goes along beside the payload, such as a tenant or the id of a trace: `ctx.headers`. Strings only, at most 8 KB as JSON in all. */
  headers?: Readonly<Record<string, string>>;
}

/** One item of `invokeMany`. */
export interface InvokeItem<P> extends InvokeOptions {
  payload: P;
}

/** `created`: this invoke made the execution. `existing`: the id was known, and nothing was written. */
export type InvokeOutcome = 'created' | 'existing';
