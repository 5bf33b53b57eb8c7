import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Conductor, Task, TaskContext, TaskEvent } from '../../../lib/index.js';
import { familySteps, raiseFamily } from '../loads/load-family.js';
import { LedgerWriter } from './ledger-writer.js';
import { tellAborts } from './tell.js';

@Injectable()
export class FamilyTasks {
  constructor(
    private readonly conductor: Conductor,
    private readonly ledger: LedgerWriter,
  ) {}

  @Task(raiseFamily, { maxLosses: false })
  async raise({ payload }: TaskEvent<typeof raiseFamily>, ctx: TaskContext) {
    tellAborts(ctx);
    return await this.ledger.during(ctx, async () => ({
      work: await ctx.step(familySteps.work, async () => {
        const effect = await this.ledger.effect(familySteps.work);
        await pause(payload.bodyMs);
        return effect;
      }),
      ask: await ctx.step(familySteps.ask, async () => {
        const effect = await this.ledger.effect(familySteps.ask);
        await Promise.all(
          payload.children.map((child) =>
            this.conductor.invoke(raiseFamily, child.payload, { id: child.id }),
          ),
        );
        return effect;
      }),
    }));
  }
}
