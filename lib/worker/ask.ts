import type { EntityManager } from 'typeorm';
import type { Deferred } from '../common/deferred.js';
import type {
  RecordKind,
  RecordStatus,
  RecordWrite,
  StepRecord,
} from '../execution/step-record.js';
import type { StepOptions } from '../interfaces/step-options.js';

/** A call of the handler that waits for its outcome. */
export interface Ask {
  name: string;
  kind: RecordKind;
  /** Of a step. */
  body?: (transaction?: EntityManager) => unknown;
  /** Whether its body runs in a transaction that its record is committed with. */
  transactional?: boolean;
  options?: StepOptions;
  fingerprint?: string;
  alone: boolean;
  /** Tries of the body that failed in this attempt. */
  tries: number;
  /** Tries of a transactional body that were lost with their connection. */
  losses?: number;
  /** When the wait is over, by the local monotonic clock. */
  due?: number;
  /** Whether the wait is stored. */
  saved?: boolean;
  answered?: boolean;
  reply?: Deferred<unknown>;
}

/** A wait, or a step between two tries, that was stored but has not been seen: it goes on where it was.
 *  @param claimedAt by the local monotonic clock */
export function takeUp(ask: Ask, record: StepRecord, claimedAt: number): void {
  ask.due = claimedAt + (record.dueInMs ?? 0);
  ask.tries = record.tries;
  ask.saved = true;
}

/** A record of it. */
export function recordOf(
  { name, kind, fingerprint, alone, tries }: Ask,
  status: RecordStatus,
  value?: string,
): RecordWrite {
  return { name, kind, status, fingerprint, alone, tries, value };
}
