import { Injectable } from '@nestjs/common';
import { Task, type TaskContext } from '../../lib/index.js';
import { MAX_RECORDS } from '../../lib/execution/step-record.js';
import { testApps } from '../support/test-app.js';

@Injectable()
class ManySteps {
  bodies = 0;

  @Task('many', { retry: { maxAttempts: 3, backoff: () => 1 } })
  async many({ payload }: { payload: number }, ctx: TaskContext) {
    await Promise.all(
      Array.from({ length: MAX_RECORDS - 1 }, (_, i) => ctx.step(`step-${i}`, () => i)),
    );
    await ctx.sleep('nap', 1);
    for (let i = 0; i < payload; i += 1)
      await ctx.step(`extra-${i}`, () => {
        this.bodies += 1;
      });
    return 'done';
  }
}

const apps = testApps();

it('an execution may record 10,000 steps and waits, suspended or not; with one more it fails, typed, before that body runs, and is not tried again', async () => {
  const many = new ManySteps();
  const { conductor } = await apps.start({ providers: [{ provide: ManySteps, useValue: many }] });
  await expect(conductor.invokeAndWait({ name: 'many' }, 0, { timeout: '60s' })).resolves.toBe(
    'done',
  );
  const tooMany = await conductor.invoke({ name: 'many' }, 1);
  const refused: unknown = await tooMany
    .result({ timeout: '60s' })
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ cause: { code: 'CONDUCTOR_STEP_LIMIT' } });
  expect((refused as Error).message).toMatch(/"extra-0".*10000.*invoke an execution of its own/);
  await expect(tooMany.status()).resolves.toMatchObject({ status: 'failed', attempt: 1 });
  expect(many.bodies).toBe(0);
});
