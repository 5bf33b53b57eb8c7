import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskEvent } from '../../../lib/index.js';
import { SWALLOW_STEP, swallow, type PoisonPayload } from '../loads/load-poison.js';
import { LedgerWriter } from './ledger-writer.js';

const poisoning: Record<NonNullable<PoisonPayload['poison']>, () => void> = {
  exit: () => process.exit(1),
  abort: () => process.abort(),
  memory: () => {
    for (const hoard: unknown[] = []; ;) hoard.push(Array.from({ length: 10_000 }, () => ({})));
  },
  loop: () => {
    for (;;);
  },
};

@Injectable()
export class PoisonTasks {
  constructor(private readonly ledger: LedgerWriter) {}

  /** With the engine's own bound of losses: that is what is tried. */
  @Task(swallow)
  async swallow({ payload }: TaskEvent<typeof swallow>, ctx: TaskContext) {
    return await this.ledger.during(ctx, async () => ({
      effect: await ctx.step(SWALLOW_STEP, async () => {
        const effect = await this.ledger.effect(SWALLOW_STEP);
        await pause(payload.bodyMs);
        if (payload.poison !== undefined) poisoning[payload.poison]();
        return effect;
      }),
    }));
  }
}
