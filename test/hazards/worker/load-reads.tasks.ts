import { Injectable } from '@nestjs/common';
import { Conductor, Task, TaskContext, TaskEvent } from '../../../lib/index.js';
import { READ_STEP, readQueues } from '../loads/load-reads.js';
import { LedgerWriter } from './ledger-writer.js';

@Injectable()
export class ReadTasks {
  constructor(
    private readonly conductor: Conductor,
    private readonly ledger: LedgerWriter,
  ) {}

  @Task(readQueues, { maxLosses: false })
  async read({ payload }: TaskEvent<typeof readQueues>, ctx: TaskContext) {
    return await this.ledger.during(ctx, async () => ({
      effect: await ctx.step(READ_STEP, async () => {
        const effect = await this.ledger.effect(READ_STEP);
        await Promise.all(
          Array.from({ length: payload.reads }, async () => {
            // a read that the busy pool refuses is for the handler to bear
            await this.conductor.queues().catch(() => undefined);
          }),
        );
        return effect;
      }),
    }));
  }
}
