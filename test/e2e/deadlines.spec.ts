import { once } from 'node:events';
import { Injectable } from '@nestjs/common';
import { Task, type TaskContext } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { movableClock } from '../support/movable-clock.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const hour = 3_600_000;
const codeOf = (error: { code: string }) => error.code;

describe('an execution whose time is limited', () => {
  const apps = testApps();
  const { start } = apps;

  it('X11 expires if it is not started in time, and stays in time once it has been', async () => {
    let started = 0;
    @Injectable()
    class Tasks {
      @Task('soon', { expireAfter: '10m' })
      async soon(_event: unknown, ctx: TaskContext) {
        started += 1;
        await ctx.sleep('long', '2h'); // an execution that was started does not expire
        return 'end';
      }
    }
    const clock = movableClock(apps.database);
    const { conductor, orchestrator } = await start({ providers: [Tasks] });
    await clock.install();
    const begun = await conductor.invoke({ name: 'soon' });
    await until(async () => (await begun.status()).status === 'suspended');
    await orchestrator.stop();
    const late = await conductor.invoke({ name: 'soon' });
    const own = await conductor.invoke({ name: 'soon' }, 0, { expireAfter: '3h' });
    const delayed = await conductor.invoke({ name: 'soon' }, 0, { delay: '1h' });
    await clock.advance(hour);
    await orchestrator.start();
    await expect(late.result({ timeout: '20s' })).rejects.toMatchObject({
      cause: { name: 'ExpiredError', code: 'CONDUCTOR_EXPIRED' },
    });
    await expect(late.status()).resolves.toMatchObject({ status: 'failed', attempt: 1 });
    await until(async () => (await delayed.status()).status === 'suspended');
    expect(started).toBe(3);
    await clock.advance(2 * hour);
    for (const handle of [begun, own, delayed])
      await expect(handle.result({ timeout: '20s' })).resolves.toBe('end');
  });

  it('X11 ends at its deadline while it waits: for a worker, in a sleep, between two attempts, and when it is blocked', async () => {
    let deployed = 1;
    @Injectable()
    class Tasks {
      @Task('sleeps', { deadline: '1h' })
      async sleeps(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('long', '5h');
      }
      @Task('fails', { retry: { backoff: { type: 'fixed', delay: '5h' } } })
      fails() {
        throw new Error('again in 5 h');
      }
      @Task('changes')
      async changes(_event: unknown, ctx: TaskContext) {
        if (deployed === 1) await ctx.step('removed', () => 1);
        await ctx.sleep('wait', 50);
      }
    }
    const clock = movableClock(apps.database);
    const { conductor, orchestrator } = await start({ providers: [Tasks] });
    await clock.install();
    const changed = await conductor.invoke({ name: 'changes' }, 0, { deadline: '1h' });
    await until(async () => (await changed.status()).status === 'suspended');
    deployed = 2;
    const sleeping = await conductor.invoke({ name: 'sleeps' });
    const free = await conductor.invoke({ name: 'sleeps' }, 0, { deadline: '9h' });
    const failing = await conductor.invoke({ name: 'fails' }, 0, {
      deadline: new Date((await clock.now()) + hour),
    });
    const status = async (handle: typeof failing) => (await handle.status()).status;
    await until(async () => (await status(sleeping)) === 'suspended');
    await until(async () => (await status(free)) === 'suspended');
    await until(async () => (await failing.status()).attempt === 2);
    await until(async () => (await status(changed)) === 'blocked', 30_000);
    const overdue = (handle: typeof failing) =>
      expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({
        cause: { name: 'DeadlineExceededError', code: 'CONDUCTOR_DEADLINE' },
      });
    await clock.advance(2 * hour);
    for (const handle of [changed, sleeping, failing]) await overdue(handle); // by the heartbeat: none could be claimed
    await orchestrator.stop();
    const waiting = await conductor.invoke({ name: 'sleeps' });
    await clock.advance(2 * hour);
    await orchestrator.start();
    await overdue(waiting);
    await expect(status(free)).resolves.toBe('suspended');
    await expect(failing.status()).resolves.toMatchObject({ attempt: 2 });
    await expect(sleeping.status()).resolves.toMatchObject({ attempt: 1 });
    await expect(waiting.status()).resolves.not.toHaveProperty('startedAt'); // it was never claimed
  });

  it('X11 is told by its signal at its deadline while it runs, and fails without another attempt', async () => {
    const seen: string[] = [];
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('runs', { timeout: '1h', retry: { maxAttempts: 5 } })
      async runs(_event: unknown, ctx: TaskContext) {
        await once(ctx.signal, 'abort');
        seen.push(codeOf(ctx.signal.reason as { code: string }));
        gate.open();
        return await ctx.step('late', () => 'ran').catch(codeOf);
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'runs' }, 0, { deadline: 500 });
    await gate.pass();
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({
      cause: { code: 'CONDUCTOR_DEADLINE' },
    });
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1 });
    expect(seen).toEqual(['CONDUCTOR_DEADLINE']);
  });

  it('makes room at once for what waits behind it, however many are overdue', async () => {
    const ran: unknown[] = [];
    @Injectable()
    class Tasks {
      @Task('job')
      job(event: { payload: unknown }) {
        ran.push(event.payload);
      }
    }
    const clock = movableClock(apps.database);
    const { conductor, orchestrator } = await start({ providers: [Tasks], autoStart: false });
    await clock.install();
    await conductor.invokeMany(
      { name: 'job' },
      Array.from({ length: 1_200 }, () => ({ payload: 'late', priority: 1, expireAfter: '1m' })),
    );
    await clock.advance(hour);
    await conductor.invoke({ name: 'job' }, 'in time');
    await orchestrator.drain();
    expect(ran).toEqual(['in time']);
    await expect(conductor.queues()).resolves.toMatchObject([{ pending: 0, running: 0 }]);
  });
});
