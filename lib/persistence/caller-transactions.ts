import type { DataSource, EntityManager } from 'typeorm';
import type { Clock } from '../common/clock.js';
import { OtherDatabaseError } from '../errors/other-database.error.js';
import { CallerTransaction } from './caller-transaction.js';
import type { Database } from './database.js';
import { otherDatabase, type NeededPrivileges } from './other-database.js';

const needed: NeededPrivileges = {
  task: ['select'],
  execution: ['select', 'insert'],
  run: ['insert'],
};

export type { CallerTransaction };

/** Transactions that callers have opened, on any DataSource of the app's that leads to our schema. */
export class CallerTransactions {
  /** Known to lead there. One that did not may have got the rights since. */
  private readonly checked = new WeakSet<DataSource>();

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** What the caller sends after this call, a COMMIT too, comes after our first statement.
   *  @param what was called, for messages
   *  @throws NotInTransactionError, OtherDatabaseError, TransactionAbortedError; nothing was written */
  async join(manager: EntityManager, what: string): Promise<CallerTransaction> {
    const { dataSource } = manager;
    if (dataSource.options.type !== 'postgres') throw this.refusal('other', dataSource);
    const transaction = await CallerTransaction.of(manager, what, this.clock);
    if (this.checked.has(dataSource)) return transaction;
    const reason = await otherDatabase(
      (sql, parameters) => transaction.send(sql, parameters),
      needed,
      this.database,
    );
    if (reason !== undefined) throw this.refusal(reason, dataSource);
    this.checked.add(dataSource);
    return transaction;
  }

  private refusal(reason: OtherDatabaseError['reason'], { options }: DataSource) {
    const name = `${options.type} "${String(options.database ?? 'of a url')}"`;
    return new OtherDatabaseError(reason, name, this.database.schema, 'using');
  }
}
