import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskEvent } from '../../../lib/index.js';
import { longSteps, takeLong } from '../loads/load-long.js';
import { LedgerWriter } from './ledger-writer.js';
import { tellAborts } from './tell.js';

@Injectable()
export class LongTasks {
  constructor(private readonly ledger: LedgerWriter) {}

  @Task(takeLong, { maxLosses: false })
  async take({ payload }: TaskEvent<typeof takeLong>, ctx: TaskContext) {
    tellAborts(ctx);
    return await this.ledger.during(ctx, async () => ({
      first: await ctx.step(longSteps.first, async () => {
        const effect = await this.ledger.effect(longSteps.first);
        await pause(payload.bodyMs);
        return effect;
      }),
      second: await ctx.step(longSteps.second, () => this.ledger.effect(longSteps.second)),
    }));
  }
}
