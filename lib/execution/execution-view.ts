import type { ExecutionStatus } from './execution-status.js';
import type { Headers } from './headers.js';
import type { SerializedError } from './serialized-error.js';
import type { RecordKind, RecordStatus } from './step-record.js';

/** An execution as it stands. All times are the database's. */
export interface ExecutionView {
  id: string;
  task: string;
  queue: string;
  status: ExecutionStatus;
  /** The number of the current or last attempt, from 1: one more than the failures that were handled. */
  attempt: number;
  /** How often its process vanished while it ran. */
  losses: number;
  priority: number;
  createdAt: Date;
  /** When it may run, while it is not finished: of a suspended one, when its wait is over. */
  runAt?: Date;
  /** When its handler first started. */
  startedAt?: Date;
  finishedAt?: Date;
  /** Undefined once it was removed, see `pruned`. */
  payload: unknown;
  /** What the invoke gave as `headers`; empty where it gave none, or once they were removed. */
  headers: Headers;
  /** Of a completed one. */
  result?: unknown;
  /** Of a failed one; of one that is not finished, what its last attempt ended with. */
  error?: SerializedError;
  /** When it was asked to stop, if it was. */
  cancelRequestedAt?: Date;
  /** As it was given to `cancel`. */
  cancelReason?: string;
  /** Its payload, headers, result, error and steps were removed, because its task's retention is shorter than the ten minutes for which an
   *  id stays. */
  pruned?: true;
  /** The execution of which this is a retry. It may be gone. */
  retryOf?: string;
  /** The execution of which this is a fork. It may be gone. */
  forkOf?: string;
  /** Of a fork: the step from which on nothing was taken over. */
  fromStep?: string;
}

export interface ExecutionFilter {
  status?: ExecutionStatus | ExecutionStatus[];
  task?: string;
  queue?: string;
  /** Accepted at this time or later. */
  since?: Date;
  /** Retries of this execution. */
  retryOf?: string;
  /** Forks of this execution. */
  forkOf?: string;
  /** Where a page before this one ended. */
  cursor?: string;
  /** Items a page, at most 1,000. Default 50. */
  limit?: number;
}

/** Newest first. */
export interface ExecutionPage {
  items: ExecutionView[];
  /** Absent on the last page. */
  nextCursor?: string;
}

export interface StepView {
  name: string;
  kind: RecordKind;
  status: RecordStatus;
  result?: unknown;
  error?: SerializedError;
  /** Of a wait, or of a step between two tries. */
  dueAt?: Date;
  at: Date;
}

/** What a queue holds that is not finished. */
export interface QueueView {
  name: string;
  pending: number;
  running: number;
  suspended: number;
  blocked: number;
}
