import type { Pool, PoolClient } from 'pg';
import { jittered, sleep, type Clock } from '../common/clock.js';
import type { SentStatement } from '../conductor.fault-points.js';
import { classify, codeOf, isTransientClass, type FailureClass } from './database-error.js';

/** Before a row that somebody else has locked is tried again. */
export const BUSY_PAUSE_MS = 20;

const LOCK_NOT_AVAILABLE = '55P03';

export const FIRST_PAUSE_MS = 25;
export const LONGEST_PAUSE_MS = 1_000;

/** A statement failed, and it is known what that means. */
export class StatementFailure extends Error {
  constructor(
    readonly kind: FailureClass,
    /** The driver's own error; it may bear values and stays inside. */
    readonly driverError: unknown,
  ) {
    super(`statement failed (${kind})`);
  }
}

/** Sends all that the engine does, but for migrations and what runs in an app's transaction: always rows, always a deadline (the pool's clients have it), always a class of failure. */
export class Statement {
  constructor(
    private readonly pool: () => Pool,
    private readonly clock: Clock,
  ) {}

  /** Sends once. */
  async run<Row>(text: string, values: unknown[]): Promise<Row[]> {
    let client: PoolClient | undefined;
    try {
      client = await this.pool().connect();
    } catch (error) {
      // nothing was sent: an unknown failure to connect is not ambiguous
      const kind = classify(error);
      throw new StatementFailure(kind === 'ambiguous' ? 'retry' : kind, error);
    }
    try {
      this.clock.reach?.(`before-${calledIn(text)}-sent`);
      const { rows } = await client.query(text, values);
      this.clock.reach?.(`after-${calledIn(text)}-reply`);
      client.release();
      return rows as Row[];
    } catch (error) {
      const kind = classify(error);
      client.release(kind === 'ambiguous');
      throw new StatementFailure(kind, error);
    }
  }

  /** Sends until there is an answer. Only for statements that an exact re-send does not change: what was not applied and
   *  what may have been applied are both sent again.
   *  @param again the values from the second time on
   *  @throws StatementFailure of kind `item` or `worker` at once, of the others when `goOn` says no. */
  async persist<Row>(
    text: string,
    values: unknown[],
    goOn: (failure: StatementFailure) => boolean,
    again = values,
  ): Promise<Row[]> {
    let sent = values;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await this.run<Row>(text, sent);
      } catch (error) {
        if (!isTransient(error) || !goOn(error)) throw error;
        await sleep(this.clock, jittered(this.clock, pause));
        sent = again;
      }
    }
  }
}

/** The function that a statement calls. */
function calledIn(text: string): SentStatement {
  return /(\w+)\(/.exec(text)![1] as SentStatement;
}

export function isTransient(error: unknown): error is StatementFailure {
  return error instanceof StatementFailure && isTransientClass(error.kind);
}

export function isItemFailure(error: unknown): boolean {
  return error instanceof StatementFailure && error.kind === 'item';
}

/** It waited for what another transaction has locked, for as long as it may. */
export function isLocked(error: unknown): boolean {
  return error instanceof StatementFailure && codeOf(error.driverError) === LOCK_NOT_AVAILABLE;
}
