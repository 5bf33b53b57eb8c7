import type { Client } from 'pg';
import type { EntityManager, QueryRunner } from 'typeorm';
import type { Clock } from '../common/clock.js';
import { NotInTransactionError } from '../errors/not-in-transaction.error.js';
import { TransactionAbortedError } from '../errors/transaction-aborted.error.js';
import { codeOf, withoutValues } from './database-error.js';
import { enqueueWithin } from './sql/enqueue-within.js';

/** Which transaction is open. A statement without a transaction has one of its own, whose number no other has. A read-only one has
 *  none, and to ask for it would be an error on a standby. */
const WHICH = `
select case when current_setting('transaction_read_only') = 'off' then pg_current_xact_id()::text end as id`;

/** A transaction that a caller has opened and will end. We set nothing in it, and know of no deadline that it should have. */
export class CallerTransaction {
  private readonly depth: number;

  private constructor(
    /** As its own number in Postgres: whoever did not await us may have ended it meanwhile. */
    readonly id: string,
    private readonly runner: QueryRunner,
    private readonly what: string,
    private readonly clock: Clock,
  ) {
    this.depth = depthOf(runner);
  }

  /** @throws NotInTransactionError, TransactionAbortedError */
  static async of(manager: EntityManager, what: string, clock: Clock): Promise<CallerTransaction> {
    const runner = manager.queryRunner;
    if (runner?.isReleased) throw new NotInTransactionError('ended', what);
    if (!runner?.isTransactionActive) throw new NotInTransactionError('none', what);
    const [row] = await query<{ id: string | null }>(runner, what, WHICH, []);
    if (row!.id === null) throw new NotInTransactionError('read-only', what);
    return new CallerTransaction(row!.id, runner, what, clock);
  }

  /** Not by TypeORM, whose logger may be told to write every statement down: for what holds payloads.
   *  @throws NotInTransactionError, TransactionAbortedError */
  async send<Row extends object>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    const { runner, what } = this;
    // of a nested one that was rolled back, the outer one may go on
    if (runner.isReleased || !runner.isTransactionActive || depthOf(runner) < this.depth)
      throw this.ended();
    return await query<Row>(runner, what, sql, parameters);
  }

  /** Calls the function that writes. */
  async enqueue<Row extends object>(schema: string, parameters: unknown[]): Promise<Row[]> {
    this.clock.reach?.('before-enqueue_within-sent');
    const rows = await this.send<Row>(enqueueWithin.call(schema), [this.id, ...parameters]);
    this.clock.reach?.('after-enqueue_within-reply');
    return rows;
  }

  ended(): NotInTransactionError {
    return new NotInTransactionError('ended', this.what);
  }
}

async function query<Row extends object>(
  runner: QueryRunner,
  what: string,
  sql: string,
  parameters: unknown[],
): Promise<Row[]> {
  try {
    const client = (await runner.connect()) as Client;
    const { rows } = await client.query<Row>(sql, parameters);
    return rows;
  } catch (error) {
    throw new TransactionAbortedError(what, codeOf(error), withoutValues(error));
  }
}

/** 2 and more: it is within savepoints. TypeORM keeps it to itself. */
function depthOf(runner: QueryRunner): number {
  return (runner as unknown as { transactionDepth: number }).transactionDepth;
}
