import type { ClaimedExecution } from '../execution/claimed-execution.js';
import type { ExecutionCell } from '../execution/current-execution.js';
import { AttemptTimeoutError } from '../errors/attempt-timeout.error.js';
import type { DeadlineExceededError } from '../errors/deadline-exceeded.error.js';
import { ExecutionCancelledError } from '../errors/execution-cancelled.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import type { Outcome } from '../execution/outcome.js';
import type { StepJournal } from './step-journal.js';

/** Who is told, once, that an attempt is over. */
export interface AttemptEnd {
  ended(attempt: Attempt, outcome: Outcome): void;
  /** As `ended`, but told from within a handler's async context. */
  left(attempt: Attempt, outcome: Outcome): void;
  /** Something of ours went wrong. */
  broke(attempt: Attempt, error: unknown): void;
}

/** One claimed execution while its handler runs: what the worker can do to it from outside. */
export class Attempt {
  private controller?: AbortController;
  private abortReason?: Error;
  /** Why its signal was aborted: what its handler throws then is not its own failure. */
  interrupted?: 'shutdown' | 'lost' | 'timeout';
  /** It shall end: what its handler throws from then on is taken for obedience. What it returns counts. */
  cancelled?: ExecutionCancelledError;
  /** What it has failed with, where that was its running time. */
  timeout?: AttemptTimeoutError | DeadlineExceededError;

  /** When it got its slot, by the same clock. */
  beganAt = 0;
  /** Where its handler runs. */
  readonly cell: ExecutionCell;

  constructor(
    readonly execution: ClaimedExecution,
    /** When this process came to know of it, by the local monotonic clock. */
    readonly claimedAt: number,
  ) {
    this.cell = { owner: { executionId: execution.id, taskName: execution.task.name } };
  }

  /** Whether it may not begin any more, having waited for a slot. */
  isOverdue(now: number): boolean {
    const { expiresInMs = Infinity, deadlineInMs = Infinity } = this.execution;
    return now - this.claimedAt >= Math.min(expiresInMs, deadlineInMs);
  }

  /** While its handler runs, once it has asked for a step or a wait, or when one is recorded. */
  journal?: StepJournal;
  /** What its handler is told from now on when it asks for something. */
  refusal?: Error;
  /** Whether a step's error or a step between two tries may be recorded, which a failed attempt forgets. */
  mayForget = true;
  /** The limit of its time, where it has one. */
  time?: { stop(): void };

  /** Made when it is first read: most handlers never do. */
  signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    return this.controller.signal;
  }

  /** The soft deadline of a shutdown has passed. */
  interrupt(reason: Error): void {
    this.interrupted ??= 'shutdown';
    this.abort(reason);
  }

  /** Somebody wants the execution to end. The row says so as well: whatever else the attempt comes to ends it as cancelled. */
  cancel(reason: string | undefined): void {
    if (this.cancelled !== undefined) return;
    const { id, task } = this.execution;
    this.cancelled = new ExecutionCancelledError(id, task.name, reason);
    this.abort(this.cancelled);
    this.nudge();
  }

  /** It has run for too long. */
  expire(error: AttemptTimeoutError | DeadlineExceededError): void {
    if (this.interrupted !== undefined) return;
    this.interrupted = 'timeout';
    this.timeout = error;
    this.refusal = error;
    this.abort(error);
    if (error instanceof AttemptTimeoutError) this.journal?.expire(error);
    else this.journal?.refuse(error);
  }

  /** Somebody else may be running this execution now, or soon may be. */
  lose(reason: Error = new LeaseLostError(this.execution.id)): void {
    this.interrupted = 'lost';
    this.time?.stop();
    this.refusal ??= reason;
    this.abort(reason);
    this.journal?.refuse(reason);
  }

  nudge(): void {
    this.journal?.nudge();
  }

  /** Its handler has ended, or is left behind. Things that the handler made may live on and keep their async context; they shall keep nothing else. */
  close(): void {
    this.time?.stop();
    this.cell.execution = undefined;
    this.mayForget = this.journal?.mayForget ?? false;
    this.journal = undefined; // what waits to be settled keeps as little as it can: there may be thousands
  }

  private abort(reason: Error): void {
    this.abortReason ??= reason;
    this.controller?.abort(this.abortReason);
  }
}
