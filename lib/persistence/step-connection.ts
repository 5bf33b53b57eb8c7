import type { Client } from 'pg';
import {
  QueryFailedError,
  TypeORMError,
  type DataSource,
  type EntityManager,
  type QueryRunner,
} from 'typeorm';
import type { Clock } from '../common/clock.js';
import { codeOf } from './database-error.js';
import { destroySocket, QUERY_DEADLINE_MS } from './deadline-client.js';
import { sealAfterRollback } from './seal.js';

/** A connection of the app's own pool with the transaction of one step. The body that it was given to may do to it what it likes. */
export class StepConnection {
  private runner?: QueryRunner;
  private client?: Client;
  private lost = false;
  private unseal?: () => void;
  /** What Postgres ended it with. */
  lostBy?: string;

  constructor(
    private readonly source: DataSource,
    private readonly clock: Clock,
  ) {}

  /** Whether it has ever been one. */
  get isMade(): boolean {
    return this.client !== undefined;
  }

  get isInTransaction(): boolean {
    return this.runner!.isTransactionActive;
  }

  get isReleasedByBody(): boolean {
    return this.runner!.isReleased && !this.lost;
  }

  async begin(): Promise<EntityManager> {
    const runner = (this.runner = this.source.createQueryRunner('master'));
    const client = (await runner.connect()) as Client;
    client.on('error', this.noteLoss);
    this.client = client;
    await this.answered(runner.startTransaction());
    return runner.manager;
  }

  async query(sql: string, parameters: unknown[]): Promise<void> {
    await this.answered(this.runner!.query(sql, parameters));
  }

  /** Not by TypeORM, whose logger may be told to write every statement down: for what holds results. */
  async send<R extends object>(sql: string, parameters: unknown[]): Promise<R[]> {
    const { rows } = await this.answered(this.client!.query<R>(sql, parameters));
    return rows;
  }

  /** With a transaction of its own that the body left open, TypeORM only releases a savepoint. */
  commit(): Promise<void> {
    return this.answered(this.runner!.commitTransaction());
  }

  /** Takes back everything, and gives the connection back. Never rejects.
   *  @returns whether the server says that nothing of it remains; otherwise the connection was lost */
  async rollback(): Promise<boolean> {
    try {
      if (this.isReleasedByBody) {
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

  async release(): Promise<void> {
    this.unseal?.(); // at once with the release, which refuses the body from then on
    await this.runner?.release();
    this.client?.removeListener('error', this.noteLoss);
  }

  /** What could not be begun: its transaction may be open. */
  async discard(): Promise<void> {
    if (this.isMade) await this.cut('The transaction could not be begun');
    await this.release();
  }

  /** Nobody waits for it any more: what its body asks for fails, and nothing of it is applied. */
  abandon(): void {
    if (this.client !== undefined && !this.lost && !this.runner!.isReleased)
      destroySocket(this.client, 'The attempt of this step is over');
  }

  /** An error without a code may also be a subscriber's of the app, or say that the DataSource is closed: waiting does not help. */
  hasCaused(error: unknown): boolean {
    if (this.lost) return true; // TypeORM may say no more than that its runner is released
    return this.isMade ? error instanceof QueryFailedError : !(error instanceof TypeORMError);
  }

  /** Whatever savepoints are open. A branch of the body may still be at work, and a subscriber of the app's may throw. */
  private async takeBack(): Promise<void> {
    const runner = this.runner!;
    this.unseal = sealAfterRollback(this.client!);
    (runner as unknown as { transactionDepth: number }).transactionDepth = 1;
    await runner.rollbackTransaction().catch(() => runner.query('ROLLBACK'));
  }

  /** Ends it, and waits until its pool knows: it would be given to somebody else. */
  private async cut(reason: string): Promise<void> {
    if (this.lost) return;
    const noted = new Promise((resolve) => this.client!.once('error', resolve));
    destroySocket(this.client!, reason);
    await noted;
  }

  private readonly noteLoss = (error: unknown): void => {
    this.lost = true;
    this.lostBy ??= codeOf(error);
  };

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
