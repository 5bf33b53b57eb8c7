import { v4 as randomUuid } from 'uuid';
import type { Client } from 'pg';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { sleep, type Clock } from '../common/clock.js';
import { InvalidStepError } from '../errors/invalid-step.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { BUSY_PAUSE_MS, reportCode } from '../execution/outcome.js';
import type { RecordWrite } from '../execution/step-record.js';
import type { Database } from './database.js';
import { codeOf } from './database-error.js';
import { destroySocket, QUERY_DEADLINE_MS } from './deadline-client.js';
import { recordColumns } from './repositories/record-columns.js';
import {
  beginStep,
  findStep,
  foundCode,
  recordStep,
  TRANSACTION_ENDED,
} from './sql/transactional-step.js';

/** The database was lost while it committed, and nothing of it was applied: the body may run again. */
export class NotCommitted extends Error {}

/** One try of a transactional step's body, on a connection of the app's own pool. */
export class StepTransaction {
  private readonly runner: QueryRunner;
  private readonly mark = randomUuid();
  private client?: Client;
  private began?: Promise<EntityManager>;

  constructor(
    source: DataSource,
    private readonly fence: { id: string; token: string },
    private readonly idleTimeoutMs: number,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    this.runner = source.createQueryRunner('master');
  }

  begin(): Promise<EntityManager> {
    return (this.began = this.start());
  }

  /** Writes the records and commits. A COMMIT without an answer is looked for on a connection of our own, for as long as `goOn` says.
   *  @param records the step's own is the last
   *  @throws LeaseLostError, NotCommitted, or what Postgres refused it for; nothing was applied then */
  async commit(records: RecordWrite[], goOn: () => boolean): Promise<void> {
    try {
      await this.record(records);
      await this.answered(this.runner.commitTransaction());
    } catch (error) {
      const { name } = records.at(-1)!;
      if (await this.rollback())
        throw codeOf(error) === TRANSACTION_ENDED ? endedItself(name) : error;
      // the connection is gone; or it has committed, and a subscriber of the app's threw after that
      if (!(await this.committed(name, goOn))) throw new NotCommitted();
      return;
    }
    await this.runner.release();
  }

  /** Never rejects.
   *  @returns whether the server says that nothing of it remains; otherwise it may have been committed before */
  async rollback(): Promise<boolean> {
    await this.began?.catch(() => undefined);
    try {
      await this.answered(this.runner.rollbackTransaction());
      return true;
    } catch {
      if (this.client !== undefined) destroySocket(this.client);
      return false;
    } finally {
      await this.runner.release();
    }
  }

  private async start(): Promise<EntityManager> {
    this.client = (await this.runner.connect()) as Client;
    await this.runner.startTransaction();
    await this.runner.query(beginStep.call(this.database.schema), [this.mark, this.idleTimeoutMs]);
    return this.runner.manager;
  }

  private async record(records: RecordWrite[]): Promise<void> {
    const item = { ...this.fence, records };
    for (;;) {
      const rows = await this.answered(
        this.runner.query(recordStep.call(this.database.schema), [
          this.mark,
          ...recordColumns([item]),
        ]) as Promise<{ ordinal: number; report: number }[]>,
      );
      const own = rows.find(({ ordinal }) => ordinal === records.length);
      if (own === undefined) return;
      if (own.report !== reportCode.busy) throw new LeaseLostError(this.fence.id);
      await sleep(this.clock, BUSY_PAUSE_MS);
    }
  }

  private async committed(name: string, goOn: () => boolean): Promise<boolean> {
    const { id, token } = this.fence;
    const [row] = await this.database.statement.persist<{ find_step: number }>(
      findStep.call(this.database.schema),
      [id, token, name],
      goOn,
    );
    if (row!.find_step === foundCode.lost) throw new LeaseLostError(id);
    return row!.find_step === foundCode.recorded;
  }

  /** The app's connections need not have a deadline of their own: a half-open socket would hold the fence's lock back for ever. */
  private async answered<T>(reply: Promise<T>): Promise<T> {
    const timer = this.clock.startTimer(QUERY_DEADLINE_MS, () => destroySocket(this.client!));
    try {
      return await reply;
    } finally {
      this.clock.stopTimer(timer);
    }
  }
}

function endedItself(step: string): InvalidStepError {
  return new InvalidStepError(`transactional step "${step}"`, [
    'its body has ended the transaction that it was given, so nothing could be recorded with it: leave COMMIT and ROLLBACK to the engine',
  ]);
}
