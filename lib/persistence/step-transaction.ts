import { v4 as randomUuid } from 'uuid';
import type { DataSource, EntityManager } from 'typeorm';
import { jittered, sleep, type Clock } from '../common/clock.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { reportCode } from '../execution/outcome.js';
import type { RecordWrite } from '../execution/step-record.js';
import type { Database } from './database.js';
import { classify, codeOf, isTransientClass } from './database-error.js';
import { misusedTransaction } from './misused-transaction.js';
import { recordColumns } from './repositories/record-columns.js';
import type { Fence } from './repositories/worker.repository.js';
import { BUSY_PAUSE_MS, FIRST_PAUSE_MS, LONGEST_PAUSE_MS } from './statement.js';
import { StepConnection } from './step-connection.js';
import {
  beginStep,
  findStep,
  foundCode,
  recordStep,
  TRANSACTION_ENDED,
} from './sql/transactional-step.js';

/** idle_in_transaction_session_timeout. */
const IDLE_FOR_TOO_LONG = '25P03';

/** The connection was lost, and nothing of the transaction was applied. The body may run again: it is not its failure. */
export const transactionLost = new Error('The transaction was lost with its connection.');

/** One try of a transactional step's body. */
export class StepTransaction {
  private readonly mark = randomUuid();
  private connection?: StepConnection;
  private began?: Promise<EntityManager>;
  private over = false;

  constructor(
    private readonly source: DataSource,
    private readonly fence: Fence,
    private readonly idleTimeoutMs: number,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Waits out what is transient, as the engine does for its own statements, for as long as `goOn` says. */
  begin(goOn: () => boolean): Promise<EntityManager> {
    return (this.began = this.start(goOn));
  }

  /** Writes the records and commits. A COMMIT without an answer is looked for on a connection of our own, for as long as `goOn` says.
   *  @param records the step's own is the last
   *  @throws LeaseLostError, transactionLost, or what Postgres refused it for; nothing was applied then */
  async commit(records: RecordWrite[], goOn: () => boolean): Promise<void> {
    const connection = this.connection!;
    const { name } = records.at(-1)!;
    let sent = false;
    try {
      if (connection.isReleasedByBody) throw misusedTransaction.ended(name);
      await this.record(connection, records, goOn);
      this.clock.reach?.('before-commit-sent');
      sent = true;
      await connection.commit();
      if (connection.isInTransaction) throw misusedTransaction.unended(name);
      this.clock.reach?.('after-commit-reply');
    } catch (error) {
      if (sent && !connection.isInTransaction) {
        // it was answered, and what came after threw, as a subscriber of the app's may
        await connection.release();
      } else {
        const failure = await this.failed(
          codeOf(error) === TRANSACTION_ENDED ? misusedTransaction.ended(name) : error,
          name,
        );
        if (failure !== transactionLost) throw failure;
      }
      if (!(await this.committed(name, goOn))) throw transactionLost;
      return;
    }
    await connection.release();
  }

  /** Takes back what the body wrote.
   *  @param error what it threw, or what its commit did
   *  @returns what the step has failed with: transactionLost if that was not its own doing */
  async failed(error: unknown, name: string): Promise<unknown> {
    if (await this.rollback()) return error;
    if (!this.connection?.isMade) return error; // it had not begun
    if (this.connection.lostBy === IDLE_FOR_TOO_LONG)
      return misusedTransaction.idle(name, this.idleTimeoutMs);
    return transactionLost;
  }

  /** Never rejects.
   *  @returns whether the server says that nothing of it remains; otherwise its connection was lost */
  async rollback(): Promise<boolean> {
    this.over = true;
    await this.began?.catch(() => undefined);
    if (!this.connection?.isMade) return false;
    return await this.connection.rollback();
  }

  /** Nobody waits for it any more. */
  abandon(): void {
    this.over = true;
    this.connection?.abandon();
  }

  private async start(goOn: () => boolean): Promise<EntityManager> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const connection = (this.connection = new StepConnection(this.source, this.clock));
      try {
        const manager = await connection.begin();
        await this.announce(connection);
        // it may have waited for a connection until nobody waited for it
        if (this.over || !goOn()) throw transactionLost;
        return manager;
      } catch (error) {
        const isTransient = connection.hasCaused(error) && isTransientClass(classify(error));
        await connection.discard();
        this.connection = undefined;
        if (!isTransient || this.over || !goOn()) throw error;
        await sleep(this.clock, jittered(this.clock, pause));
      }
    }
  }

  /** Marks the transaction as this one, and bounds how long it may idle. */
  private async announce(connection: StepConnection): Promise<void> {
    this.clock.reach?.('before-begin_step-sent');
    await connection.query(beginStep.call(this.database.schema), [this.mark, this.idleTimeoutMs]);
    this.clock.reach?.('after-begin_step-reply');
  }

  private async record(
    connection: StepConnection,
    records: RecordWrite[],
    goOn: () => boolean,
  ): Promise<void> {
    const item = { ...this.fence, records };
    for (;;) {
      this.clock.reach?.('before-record_step-sent');
      const rows = await connection.send<{ ordinal: number; report: number }>(
        recordStep.call(this.database.schema),
        [this.mark, ...recordColumns([item])],
      );
      this.clock.reach?.('after-record_step-reply');
      const own = rows.find(({ ordinal }) => ordinal === records.length);
      if (own === undefined) return;
      if (own.report !== reportCode.busy || !goOn()) throw new LeaseLostError(this.fence.id);
      await sleep(this.clock, BUSY_PAUSE_MS);
    }
  }

  private async committed(name: string, goOn: () => boolean): Promise<boolean> {
    const { id, token } = this.fence;
    let found: number;
    try {
      const [row] = await this.database.statement.persist<{ find_step: number }>(
        findStep.call(this.database.schema),
        [id, token, name],
        goOn,
      );
      found = row!.find_step;
    } catch {
      throw new LeaseLostError(id); // nobody knows: the next attempt looks at the record
    }
    if (found === foundCode.lost) throw new LeaseLostError(id);
    return found === foundCode.recorded;
  }
}
