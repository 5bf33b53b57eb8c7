import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import {
  DataSource,
  EntityManager,
  type EntitySubscriberInterface,
  type TransactionCommitEvent,
} from 'typeorm';
import { Step, Task, TaskContext, TaskEvent, Tx } from '../../../lib/index.js';
import { bookFrozen, frozenSteps, type FrozenPayload } from '../loads/load-frozen.js';
import { LedgerWriter } from './ledger-writer.js';
import { standStill } from './tell.js';

/** Stops the process between a step's record and its COMMIT, where the step has asked for it. */
@Injectable()
export class StopsBeforeCommit implements EntitySubscriberInterface {
  constructor(source: DataSource) {
    source.subscribers.push(this);
  }

  async beforeTransactionCommit({ queryRunner }: TransactionCommitEvent): Promise<void> {
    const { freezes } = queryRunner.data as { freezes?: string };
    if (freezes !== undefined) await standStill(freezes, 'commit');
  }
}

@Injectable()
export class FrozenTasks {
  constructor(private readonly ledger: LedgerWriter) {}

  @Task(bookFrozen, { maxLosses: false })
  async book({ payload }: TaskEvent<typeof bookFrozen>, ctx: TaskContext) {
    const freezesAt = ctx.fence === 1 ? payload.freezesAt : undefined;
    return await this.ledger.during(ctx, async () => {
      const plain = await ctx.step(frozenSteps.plain, async () => {
        const effect = await this.ledger.effect(frozenSteps.plain);
        await pause(payload.bodyMs);
        if (freezesAt === 'body') await standStill(ctx.executionId, freezesAt);
        return effect;
      });
      const booked = await this.booked(ctx.executionId, freezesAt);
      return { plain, booked };
    });
  }

  /** Takes a lock of the user's own, which a next attempt needs as well. */
  @Step({ name: frozenSteps.booked, transactional: true })
  async booked(
    execution: string,
    freezesAt: FrozenPayload['freezesAt'],
    @Tx() em?: EntityManager,
  ): Promise<string> {
    await em!.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [execution]);
    const effect = await this.ledger.commit(em!, frozenSteps.booked);
    if (freezesAt === 'transaction') await standStill(execution, freezesAt);
    if (freezesAt === 'commit') em!.queryRunner!.data = { freezes: execution };
    return effect;
  }
}
