import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Conductor, Step, Task, TaskContext, TaskEvent } from '../../../lib/index.js';
import {
  answer,
  BOOKED_STEP,
  REFUSED_STEP,
  runWorkflow,
  type WorkflowPayload,
  type WorkflowResult,
} from '../loads/load-workflow.js';
import { LedgerWriter } from './ledger-writer.js';

/** Shorter than the engine holds a step between two tries in the process, and longer. */
const AT_ONCE = { maxAttempts: 9, backoff: { type: 'fixed', delay: 50 } } as const;
const LATER = { maxAttempts: 9, backoff: { type: 'fixed', delay: 1_100 } } as const;

@Injectable()
export class WorkflowSteps {
  @Step()
  async double(value: number): Promise<number> {
    return await Promise.resolve(value * 2);
  }
}

@Injectable()
export class WorkflowTasks {
  constructor(
    private readonly steps: WorkflowSteps,
    private readonly ledger: LedgerWriter,
    private readonly conductor: Conductor,
  ) {}

  /** `maxLosses: false`, so that a third crash, as on a machine that stands still, does not end it. */
  @Task(runWorkflow, { maxLosses: false })
  async run({ payload }: TaskEvent<typeof runWorkflow>, ctx: TaskContext): Promise<WorkflowResult> {
    const { ledger } = this;
    const effect = (step: string) => ctx.step(step, () => ledger.effect(step));
    return await ledger.during(ctx, async () => {
      const course: unknown[] = [];
      const first = await effect('first');
      await ctx.sleep('nap', 200);
      course.push('slept');
      const [left, right] = await Promise.all([effect('left'), effect('right')]);
      const { index } = payload;
      course.push(
        await Promise.all([index, index + 1, index + 2].map((value) => this.steps.double(value))),
      );
      const flaky = await ctx.step('flaky', () => this.failsOnce('flaky'), { retry: AT_ONCE });
      const patient = await ctx.step('patient', () => this.failsOnce('patient'), { retry: LATER });

      const slow = ctx.step('slow', async () => {
        await pause(300);
        return await ledger.effect('slow');
      });
      // a body without an await of its own: it is over before the others begin theirs, on any machine
      course.push(`${await Promise.race([ctx.step('quick', () => 'quick'), slow])} won`);
      course.push(
        (await Promise.race([ctx.step('fast', () => true), ctx.sleep('limit', 3_600_000)])) &&
          'fast won',
      );
      const caught = await ctx
        .step(REFUSED_STEP, async () => {
          await ledger.effect(REFUSED_STEP);
          throw new Error('Refused on purpose.');
        })
        .catch((error: unknown) => `caught: ${(error as Error).message}`);
      course.push(caught);
      course.push(await ctx.step('ask', () => this.ask(payload)));
      const booked = await ctx.transaction(BOOKED_STEP, async (em) => {
        const effect = await ledger.commit(em, BOOKED_STEP);
        // without an id of its own: done twice, there would be two
        await this.conductor.using(em).invoke(answer, { to: index });
        return effect;
      });
      course.push('booked');
      const effects = { first, left, right, flaky, patient, slow: await slow };
      return { effects: { ...effects, [BOOKED_STEP]: booked }, course };
    });
  }

  @Task(answer)
  answer({ payload }: TaskEvent<typeof answer>) {
    return { answered: payload.to };
  }

  /** Whatever crashed: the second run of the body succeeds. */
  private async failsOnce(step: string): Promise<string> {
    const effect = await this.ledger.effect(step);
    if ((await this.ledger.count(step)) === 1) throw new Error('Thrown on purpose.');
    return effect;
  }

  /** One that may start here, and two that are due a moment later: of their statements, sent at one instant, the second one's
   *  notification is sent by itself. */
  private async ask({ index, children: [first, ...others] }: WorkflowPayload): Promise<string> {
    const payload = { to: index };
    await this.conductor.invoke(answer, payload, { id: first });
    await Promise.all(
      others.map((id) => this.conductor.invokeMany(answer, [{ id, payload, delay: 1 }])),
    );
    return 'asked';
  }
}
