import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import type { Clock } from '../common/clock.js';
import { OtherDatabaseError } from '../errors/other-database.error.js';
import { poolOf } from './connection.js';
import type { Database } from './database.js';
import { otherDatabase } from './other-database.js';
import type { Fence } from './repositories/worker.repository.js';
import { StepTransaction } from './step-transaction.js';

const needed = { run: ['select', 'update'], step: ['select', 'insert', 'update'] };

/** The app's own DataSource, which knows its entities, for steps whose writes are committed together with their record. */
export class StepTransactions {
  constructor(
    private readonly source: DataSource,
    private readonly name: string,
    private readonly idleTimeoutMs: number,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** @throws OtherDatabaseError unless it leads to the conductor's own schema, and may write there */
  async check(): Promise<void> {
    const reason = await otherDatabase(
      (sql, parameters) => this.source.query(sql, parameters),
      needed,
      this.database,
    );
    if (reason !== undefined)
      throw new OtherDatabaseError(reason, this.name, this.database.schema, 'steps');
    this.guard();
  }

  /** A server that ends a new connection at once may say so in the same packet that completes it: before TypeORM listens, so that its
   *  error would end the process. Steps make connections just when the database comes back. */
  private guard(): void {
    const pool = poolOf(this.source);
    if (!pool.listeners('connect').includes(listenForErrors)) pool.on('connect', listenForErrors);
  }

  open(fence: Fence): StepTransaction {
    return new StepTransaction(this.source, fence, this.idleTimeoutMs, this.database, this.clock);
  }
}

/** Pool and TypeORM have listeners of their own, which act on it. */
function listenForErrors(client: PoolClient): void {
  client.on('error', () => undefined);
}
