import type { DivergenceError } from '../errors/divergence.error.js';
import type { StepTransaction } from '../persistence/step-transaction.js';
import type { RecordWrite } from '../execution/step-record.js';

/** How an activation ends from the inside. */
export type JournalEnd =
  | { type: 'suspended' | 'released' }
  | { type: 'lost' }
  | { type: 'diverged'; error: DivergenceError }
  /** Postgres does not take what would have to be stored. */
  | { type: 'refused'; error: Error };

export type SuspendReply =
  | { type: 'parked' }
  | { type: 'lost' }
  | { type: 'decided'; names: string[] }
  /** What it waits for is refused. */
  | { type: 'cancelled' }
  | { type: 'refused'; error: Error };

/** What a journal needs of the world. */
export interface JournalPorts {
  /** Rejects with LeaseLostError, or with what the database refused the content for. */
  save(records: RecordWrite[]): Promise<void>;
  /** For one try of a transactional step; undefined: the app has not said of which DataSource. */
  transaction(): StepTransaction | undefined;
  /** Never rejects. */
  suspend(records: RecordWrite[]): Promise<SuspendReply>;
  /** Whether no new body may start: the worker is shutting down. */
  stopping(): boolean;
  /** Whether its signal was aborted for that: what a body throws from then on is no failure of its own. */
  interrupted(): boolean;
  /** Why nothing that has no record is begun, or waited for, any more: the execution shall end. */
  cancelled(): Error | undefined;
  /** Whether the process stood still for longer than its lease, and no timer could tell yet. */
  outlivedLease(): boolean;
  end(end: JournalEnd): void;
  /** A call came from a handler that was dropped: it will never be answered. */
  lateCall(call: string): void;
}
