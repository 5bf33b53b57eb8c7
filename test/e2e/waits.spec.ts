import { Injectable } from '@nestjs/common';
import { Task, type TaskContext } from '../../lib/index.js';
import { testApps } from '../support/test-app.js';
import { movableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';

describe('a sleep', () => {
  const apps = testApps();
  const { start } = apps;

  it('W1 frees the worker and goes on after its time, not before', async () => {
    const seen: string[] = [];
    @Injectable()
    class Tasks {
      @Task('sleeper')
      async sleeper(_event: unknown, ctx: TaskContext) {
        await ctx.step('before', () => seen.push('before'));
        await ctx.sleep('wait', '1h');
        await ctx.step('after', () => seen.push('after'));
      }
    }
    const clock = movableClock(apps.database);
    const { conductor, orchestrator } = await start({ providers: [Tasks] });
    await clock.install();
    const handle = await conductor.invoke({ name: 'sleeper' });
    await until(async () => (await handle.status()).status === 'suspended');
    await until(() => orchestrator.info.running === 0); // the reply comes a moment after the commit
    await clock.advance(59 * 60_000);
    await orchestrator.drain();
    expect(seen).toEqual(['before']);
    await clock.advance(60_000);
    await handle.result({ timeout: '20s' });
    expect(seen).toEqual(['before', 'after']);
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1 });
  });

  it('W1 of 2 s is over on the database’s clock neither before its time nor a beat after it', async () => {
    @Injectable()
    class Tasks {
      @Task('sleeper')
      async sleeper(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('wait', 2000);
        await ctx.step('after', () => 'after');
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'sleeper' });
    await handle.result({ timeout: '20s' });
    const [wait, after] = await conductor.steps(handle.id);
    expect(wait).toMatchObject({ name: 'wait', kind: 'sleep', status: 'completed' });
    // how late it was is a matter of the machine: `npm run test:hazards` and the benchmark measure it
    expect(after!.at.getTime()).toBeGreaterThanOrEqual(wait!.dueAt!.getTime());
  });

  it('W1 of a hundred executions is slept side by side by a worker of concurrency 1', async () => {
    @Injectable()
    class Tasks {
      @Task('sleeper')
      async sleeper(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('wait', '1h');
        return 'awake';
      }
    }
    const clock = movableClock(apps.database);
    const { conductor, orchestrator } = await start({
      providers: [Tasks],
      queues: { default: { concurrency: 1 } },
    });
    await clock.install();
    const handles = await conductor.invokeMany(
      { name: 'sleeper' },
      Array.from({ length: 100 }, () => ({ payload: 0 })),
    );
    // all asleep at once in a worker with one slot: one after the other they would need a hundred hours
    await until(async () => (await conductor.queues())[0]!.suspended === 100);
    expect(orchestrator.info.running).toBe(0);
    await clock.advance(3_600_000);
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '30s' })));
    expect(new Set(results)).toEqual(new Set(['awake']));
  });

  it('W2 survives a restart and does not start over', async () => {
    @Injectable()
    class Tasks {
      @Task('sleeper')
      async sleeper(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('wait', '30d');
        return 'awake';
      }
    }
    const clock = movableClock(apps.database);
    const first = await start({ providers: [Tasks] });
    await clock.install();
    const { id } = await first.conductor.invoke({ name: 'sleeper' });
    await until(async () => (await first.conductor.get(id))!.status === 'suspended');
    const [before] = await first.conductor.steps(id);
    await first.close();
    await clock.advance(29 * 86_400_000);
    const { conductor, orchestrator } = await start({ providers: [Tasks] });
    await orchestrator.drain();
    await expect(conductor.steps(id)).resolves.toMatchObject([
      { status: 'open', dueAt: before!.dueAt },
    ]);
    await clock.advance(86_400_000);
    await expect(conductor.handle(id).result({ timeout: '20s' })).resolves.toBe('awake');
  });

  it('W3 composes: all and race mean what they say, first and on a replay, and try, catch and finally see nothing', async () => {
    const seen: string[] = [];
    let activations = 0;
    @Injectable()
    class Tasks {
      @Task('composed', { retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: 1 } } })
      async composed(_event: unknown, ctx: TaskContext) {
        activations += 1;
        try {
          const both = await Promise.all([
            ctx.sleep('a', 30).then(() => 'slept'),
            ctx.step('b', () => 'stepped'),
          ]);
          const slow = ctx.step(
            'slow',
            () => new Promise((resolve) => setTimeout(() => resolve('slow'), 120)),
          );
          const first = await Promise.race([ctx.sleep('quick', 15).then(() => 'quick'), slow]);
          await slow;
          const step = ctx.step('at once', () => 'step');
          const second = await Promise.race([ctx.sleep('month', '30d').then(() => 'month'), step]);
          await Promise.all([ctx.sleep('more', 20), ctx.sleep('less', 1)]);
          if (ctx.attempt < 3) throw new Error('again');
          seen.push('end');
          return [...both, first, second];
        } catch (error) {
          seen.push((error as Error).message);
          throw error;
        } finally {
          seen.push('finally');
        }
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(
      conductor.invokeAndWait({ name: 'composed' }, 0, { timeout: '20s' }),
    ).resolves.toEqual(['slept', 'stepped', 'quick', 'step']);
    expect(activations).toBeGreaterThan(3); // it was suspended, and saw nothing of it
    expect(seen).toEqual(['again', 'finally', 'again', 'finally', 'end', 'finally']);
  });

  it('W2 of no time, or less, is over at once', async () => {
    let activations = 0;
    let atOnce: number | undefined;
    @Injectable()
    class Tasks {
      @Task('none')
      async none(_event: unknown, ctx: TaskContext) {
        activations += 1;
        await ctx.sleep('zero', 0);
        await ctx.sleep('negative', -5000);
        await ctx.sleepUntil('long ago', new Date(0));
        atOnce ??= activations;
        await ctx.sleep('half', 0.5);
        return (
          (await ctx.sleep('bad', 'soon' as never).catch((error: Error) => error)) instanceof Error
        );
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait({ name: 'none' }, 0, { timeout: '20s' })).resolves.toBe(
      true,
    );
    expect(atOnce).toBe(1); // the worker was not even left for them
  });

  it('W2 of thirty days waits for thirty days, over restarts', async () => {
    const days = 24 * 3_600_000;
    @Injectable()
    class Tasks {
      @Task('month')
      async month(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('wait', '30d');
        return 'over';
      }
    }
    const clock = movableClock(apps.database);
    const first = await start({ providers: [Tasks] });
    await clock.install();
    const { id } = await first.conductor.invoke({ name: 'month' });
    await until(async () => (await first.conductor.handle(id).status()).status === 'suspended');
    await first.close();
    await clock.advance(30 * days - 60_000);
    const second = await start({ providers: [Tasks] });
    await second.orchestrator.drain();
    await expect(second.conductor.handle(id).status()).resolves.toMatchObject({
      status: 'suspended',
    });
    await clock.advance(60_000);
    await expect(second.conductor.handle(id).result({ timeout: '20s' })).resolves.toBe('over');
  });

  it('W2 until an instant of the database’s clock is over then, whatever the process’s clock says; one in the past at once', async () => {
    let instant = new Date(0);
    @Injectable()
    class Tasks {
      @Task('until')
      async until(_event: unknown, ctx: TaskContext) {
        await ctx.sleepUntil('past', new Date(0));
        await ctx.sleepUntil('future', instant);
        const bad = await ctx
          .sleepUntil('bad', 'tomorrow' as never)
          .catch((error: { code: string }) => error.code);
        const inside = await ctx
          .step('body', () => ctx.sleepUntil('within', instant))
          .catch((error: { code: string }) => error.code);
        return [bad, inside];
      }
    }
    const clock = movableClock(apps.database);
    const { conductor, orchestrator } = await start({ providers: [Tasks] });
    await clock.install();
    await clock.advance(-5 * 3_600_000);
    instant = new Date((await clock.now()) + 1_800_000);
    const handle = await conductor.invoke({ name: 'until' });
    await until(async () => (await handle.status()).status === 'suspended');
    const { dueAt } = (await conductor.steps(handle.id)).find(({ name }) => name === 'future')!;
    // no earlier, and later by no more than what passes between the claim and the write
    expect(dueAt!.getTime()).toBeGreaterThanOrEqual(instant.getTime());
    expect(dueAt!.getTime()).toBeLessThan(instant.getTime() + 60_000);
    await clock.advance(1_800_000 - 60_000);
    await orchestrator.drain();
    await expect(handle.status()).resolves.toMatchObject({ status: 'suspended' });
    await clock.advance(120_000);
    await expect(handle.result({ timeout: '20s' })).resolves.toEqual([
      'CONDUCTOR_INVALID_STEP',
      'CONDUCTOR_INSIDE_STEP',
    ]);
  });
});
