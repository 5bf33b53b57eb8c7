import { v4 as randomUuid } from 'uuid';
import type { Client } from 'pg';
import {
  QueryFailedError,
  TypeORMError,
  type DataSource,
  type EntityManager,
  type QueryRunner,
} from 'typeorm';
import { jittered, sleep, type Clock } from '../common/clock.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { reportCode } from '../execution/outcome.js';
import type { RecordWrite } from '../execution/step-record.js';
import type { Database } from './database.js';
import { classify, codeOf, isTransientClass } from './database-error.js';
import { destroySocket, QUERY_DEADLINE_MS } from './deadline-client.js';
import { misusedTransaction } from './misused-transaction.js';
import { recordColumns } from './repositories/record-columns.js';
import { sealAfterRollback } from './seal.js';
import type { Fence } from './repositories/worker.repository.js';
import { BUSY_PAUSE_MS, FIRST_PAUSE_MS, LONGEST_PAUSE_MS } from './statement.js';
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

/** One try of a transactional step's body, on a connection of the app's own pool. */
export class StepTransaction {
  private readonly mark = randomUuid();
  private runner?: QueryRunner;
  private client?: Client;
  private began?: Promise<EntityManager>;
  private over = false;
  private lost = false;
  private lostBy?: string;
  private unseal?: () => void;

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
    const { name } = records.at(-1)!;
    let sent = false;
    try {
      if (this.releasedByBody) throw misusedTransaction.ended(name);
      await this.record(records, goOn);
      this.clock.reach?.('before-commit-sent');
      sent = true;
      await this.answered(this.runner!.commitTransaction());
      // TypeORM only releases a savepoint then
      if (this.runner!.isTransactionActive) throw misusedTransaction.unended(name);
      this.clock.reach?.('after-commit-reply');
    } catch (error) {
      if (sent && !this.runner!.isTransactionActive) {
        // it was answered, and what came after threw, as a subscriber of the app's may
        await this.release();
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
    await this.release();
  }

  /** Takes back what the body wrote.
   *  @param error what it threw, or what its commit did
   *  @returns what the step has failed with: transactionLost if that was not its own doing */
  async failed(error: unknown, name: string): Promise<unknown> {
    if (await this.rollback()) return error;
    if (this.client === undefined) return error; // it had not begun
    if (this.lostBy === IDLE_FOR_TOO_LONG) return misusedTransaction.idle(name, this.idleTimeoutMs);
    return transactionLost;
  }

  /** Never rejects.
   *  @returns whether the server says that nothing of it remains; otherwise its connection was lost */
  async rollback(): Promise<boolean> {
    this.over = true;
    await this.began?.catch(() => undefined);
    if (this.client === undefined) return false;
    try {
      if (this.releasedByBody) {
        await this.cut('A step has released its connection in the middle of its transaction');
        return true;
      }
      await this.answered(this.takeBack());
      return true;
    } catch {
      await this.cut('The transaction was given up');
      return false;
    } finally {
      await this.release();
    }
  }

  /** Nobody waits for it any more: what its body asks for fails, and nothing of it is applied. */
  abandon(): void {
    this.over = true;
    if (this.client !== undefined && !this.lost && !this.runner!.isReleased)
      destroySocket(this.client, 'The attempt of this step is over');
  }

  private async start(goOn: () => boolean): Promise<EntityManager> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        const manager = await this.startOnce();
        // it may have waited for a connection until nobody waited for it
        if (this.over || !goOn()) throw transactionLost;
        return manager;
      } catch (error) {
        const isTransient = this.isOfConnection(error) && isTransientClass(classify(error));
        // its transaction may be open
        if (this.client !== undefined) await this.cut('The transaction could not be begun');
        await this.release();
        this.client = undefined;
        this.lost = false;
        this.lostBy = undefined;
        if (!isTransient || this.over || !goOn()) throw error;
        await sleep(this.clock, jittered(this.clock, pause));
      }
    }
  }

  private async startOnce(): Promise<EntityManager> {
    const runner = (this.runner = this.source.createQueryRunner('master'));
    const client = (await runner.connect()) as Client;
    client.on('error', this.noteLoss);
    this.client = client;
    await this.answered(runner.startTransaction());
    this.clock.reach?.('before-begin_step-sent');
    await this.answered(
      runner.query(beginStep.call(this.database.schema), [this.mark, this.idleTimeoutMs]),
    );
    this.clock.reach?.('after-begin_step-reply');
    return runner.manager;
  }

  /** An error without a code may also be a subscriber's of the app, or say that the DataSource is closed: waiting does not help. */
  private isOfConnection(error: unknown): boolean {
    if (this.lost) return true; // TypeORM may say no more than that its runner is released
    return this.client === undefined
      ? !(error instanceof TypeORMError)
      : error instanceof QueryFailedError;
  }

  /** Everything, whatever savepoints are open. A branch of the body may still be at work, and a subscriber of the app's may throw. */
  private async takeBack(): Promise<void> {
    const runner = this.runner!;
    this.unseal = sealAfterRollback(this.client!);
    (runner as unknown as { transactionDepth: number }).transactionDepth = 1;
    await runner.rollbackTransaction().catch(() => runner.query('ROLLBACK'));
  }

  /** Ends its connection, and waits until its pool knows: it would be given to somebody else. */
  private async cut(reason: string): Promise<void> {
    if (this.lost) return;
    const noted = new Promise((resolve) => this.client!.once('error', resolve));
    destroySocket(this.client!, reason);
    await noted;
  }

  private get releasedByBody(): boolean {
    return this.runner!.isReleased && !this.lost;
  }

  private readonly noteLoss = (error: unknown): void => {
    this.lost = true;
    this.lostBy ??= codeOf(error);
  };

  private async release(): Promise<void> {
    this.unseal?.(); // at once with the release, which refuses the body from then on
    await this.runner?.release();
    this.client?.removeListener('error', this.noteLoss);
  }

  private async record(records: RecordWrite[], goOn: () => boolean): Promise<void> {
    const item = { ...this.fence, records };
    for (;;) {
      this.clock.reach?.('before-record_step-sent');
      // not by TypeORM, whose logger may be told to write every statement down: these are results
      const { rows } = await this.answered(
        this.client!.query<{ ordinal: number; report: number }>(
          recordStep.call(this.database.schema),
          [this.mark, ...recordColumns([item])],
        ),
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

  /** The app's connections need not have a deadline of their own: a half-open socket would hold the fence's lock back for ever. */
  private async answered<T>(reply: Promise<T>): Promise<T> {
    const timer = this.clock.startTimer(QUERY_DEADLINE_MS, () =>
      destroySocket(this.client!, `No reply from Postgres within ${QUERY_DEADLINE_MS} ms`),
    );
    try {
      return await reply;
    } finally {
      this.clock.stopTimer(timer);
    }
  }
}
