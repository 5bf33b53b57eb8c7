import type { ExecutionStatus } from '../../../lib/index.js';
import type { Totals } from '../audit/totals.js';

/** What the API answers. */
export interface AuditAccepted {
  packages: number;
  /** Executions that this request created; the rest existed already. */
  created: number;
}

export interface AuditProgress {
  packages: number;
  /** Executions by status. */
  statuses: Partial<Record<ExecutionStatus, number>>;
  /** Executions that have failed and will be tried again. */
  retrying: number;
  /** Times an execution was taken from a worker that was lost. */
  recoveries: number;
  /** Running executions by the process that last began a step of them. */
  running: Record<number, number>;
}

export interface AuditReport {
  totals: Totals;
  /** What became of each execution that did not complete. */
  failures: string[];
  attempts: number;
  recoveries: number;
  bodies: {
    /** Times the body of a step began. */
    begun: number;
    /** Those that were not the first of their step. */
    again: number;
  };
}
