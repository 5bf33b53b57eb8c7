import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { EntityManager } from 'typeorm';
import { Step, Task, TaskContext, TaskEvent, Tx } from '../../../lib/index.js';
import { orderSteps, placeOrder, priceOf, type OrderResult } from '../loads/load-a.js';
import { LedgerWriter } from './ledger-writer.js';

interface Course {
  ms: number;
  fails: boolean;
}

@Injectable()
export class OrderSteps {
  constructor(private readonly ledger: LedgerWriter) {}

  @Step()
  async price(index: number, reservation: string, course: Course): Promise<string> {
    await takeTime(course);
    return priceOf(index, reservation);
  }

  @Step({ transactional: true })
  async confirm(course: Course, @Tx() em?: EntityManager): Promise<string> {
    const effect = await this.ledger.commit(em!, orderSteps.confirm);
    await takeTime(course);
    return effect;
  }
}

@Injectable()
export class OrderTasks {
  constructor(
    private readonly steps: OrderSteps,
    private readonly ledger: LedgerWriter,
  ) {}

  /** `maxLosses: false`, so that bad luck with three kills ends no execution: every one has to complete. */
  @Task(placeOrder, {
    maxLosses: false,
    retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: 100 } },
  })
  async place({ payload }: TaskEvent<typeof placeOrder>, ctx: TaskContext): Promise<OrderResult> {
    const failsIn = ctx.attempt <= (payload.failing ?? 1) ? payload.failsIn : undefined;
    return await this.ledger.during(ctx, async () => {
      const reservation = await ctx.step(orderSteps.reserve, async () => {
        const effect = await this.ledger.effect(orderSteps.reserve);
        await takeTime({ ms: payload.reserveMs, fails: failsIn === 'reserve' });
        return effect;
      });
      const price = await this.steps.price(payload.index, reservation, {
        ms: payload.priceMs,
        fails: failsIn === 'price',
      });
      const confirmation = await this.steps.confirm({
        ms: payload.confirmMs,
        fails: failsIn === 'confirm',
      });
      if (failsIn === 'handler') throw new Error('Thrown on purpose.');
      return { reservation, price, confirmation };
    });
  }
}

async function takeTime({ ms, fails }: Course): Promise<void> {
  await pause(ms);
  if (fails) throw new Error('Thrown on purpose.');
}
