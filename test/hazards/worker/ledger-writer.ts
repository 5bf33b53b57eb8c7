import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import type { EntityManager } from 'typeorm';
import type { BaseContext } from '../../../lib/index.js';
import { countEffects, insertEffect } from '../harness/ledger.js';

export const LEDGER_URL = Symbol('LEDGER_URL');

type AttemptContext = Pick<BaseContext, 'executionId' | 'fence'>;

/** Where bodies leave their effects: another database, through connections that the engine knows nothing of. */
@Injectable()
export class LedgerWriter implements OnApplicationShutdown {
  private readonly pool: pg.Pool;
  // a @Step method gets no context, and its arguments are the same in every attempt
  private readonly attempts = new AsyncLocalStorage<AttemptContext>();

  constructor(@Inject(LEDGER_URL) url: string) {
    this.pool = new pg.Pool({ connectionString: url, max: 5 });
    this.pool.on('error', () => undefined); // an idle connection was lost: the next effect takes another
  }

  /** Ascribes the effects of what runs inside to this attempt. */
  during<T>({ executionId, fence }: AttemptContext, attempt: () => Promise<T>): Promise<T> {
    return this.attempts.run({ executionId, fence }, attempt);
  }

  /** A body has begun. Returns the name of this very effect. */
  async effect(step: string): Promise<string> {
    const { executionId, fence } = this.attempts.getStore()!;
    const effect = randomUUID();
    await insertEffect(this.pool, { execution: executionId, step, claim: fence, effect });
    return effect;
  }

  /** A transactional body writes in its transaction. Returns the name of this very effect. */
  async commit(transaction: EntityManager, step: string): Promise<string> {
    const { executionId, fence } = this.attempts.getStore()!;
    const effect = randomUUID();
    const row = { execution: executionId, step, claim: fence, effect };
    await insertEffect(transaction, row, 'committed');
    return effect;
  }

  /** How often a body of the execution has begun so far, this time included. */
  async count(step: string): Promise<number> {
    const { executionId } = this.attempts.getStore()!;
    return await countEffects(this.pool, { execution: executionId, step });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
