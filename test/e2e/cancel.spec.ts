import { once } from 'node:events';
import { Injectable } from '@nestjs/common';
import {
  ExecutionCancelledError,
  NonRetryableError,
  Step,
  Task,
  type ExecutionHandle,
  type TaskContext,
} from '../../lib/index.js';
import { systemClock, type Clock } from '../../lib/common/clock.js';
import { Gate } from '../support/gate.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const statusOf = async (handle: ExecutionHandle) => (await handle.status()).status;
const isCancelled = (handle: ExecutionHandle) => async () =>
  (await statusOf(handle)) === 'cancelled';

/** The pauses between beats, of up to a second, do not end. */
const withoutBeats: Clock = {
  ...systemClock,
  startTimer: (delayMs, fire) =>
    systemClock.startTimer(delayMs > 500 && delayMs <= 1_000 ? 600_000 : delayMs, fire),
};

describe('cancellation', () => {
  const apps = testApps();
  const { start } = apps;

  it('K1 of what is pending is answered `cancelled`: it never runs, and its result is refused with the reason', async () => {
    let ran = 0;
    @Injectable()
    class Tasks {
      @Task('job')
      job() {
        ran += 1;
      }
    }
    const { conductor, orchestrator } = await start({ providers: [Tasks], autoStart: false });
    const handle = await conductor.invoke({ name: 'job' });
    const delayed = await conductor.invoke({ name: 'job' }, 0, { delay: '1h' });
    const result = handle.result();
    result.catch(() => undefined);
    await expect(handle.cancel({ reason: 'no longer needed' })).resolves.toBe('cancelled');
    await expect(conductor.cancel(delayed.id.toUpperCase())).resolves.toBe('cancelled');
    await expect(handle.cancel()).resolves.toBe('too-late');
    await expect(conductor.cancel('00000000-0000-7000-8000-000000000000')).resolves.toBe('unknown');
    await expect(result).rejects.toBeInstanceOf(ExecutionCancelledError);
    await expect(result).rejects.toMatchObject({
      code: 'CONDUCTOR_EXECUTION_CANCELLED',
      executionId: handle.id,
      task: 'job',
      reason: 'no longer needed',
    });
    await expect(delayed.result()).rejects.toMatchObject({ reason: undefined });
    const view = await handle.status();
    expect(view).toMatchObject({
      status: 'cancelled',
      attempt: 1,
      cancelReason: 'no longer needed',
      finishedAt: expect.any(Date),
      cancelRequestedAt: view.finishedAt,
    });
    expect(view).not.toHaveProperty('error');
    expect(view).not.toHaveProperty('startedAt');
    await expect(conductor.list({ status: 'cancelled' })).resolves.toMatchObject({
      items: [{ id: delayed.id }, { id: handle.id }],
    });
    await orchestrator.start();
    await orchestrator.drain();
    expect(ran).toBe(0);
  });

  it.each([
    ['throws its own error', () => Promise.reject(new Error('its own'))],
    ['throws what is never retried', () => Promise.reject(new NonRetryableError('over'))],
    ['throws the reason of its signal', (ctx: TaskContext) => Promise.reject(ctx.signal.reason)],
    ['suspends for 30 days', (ctx: TaskContext) => ctx.sleep('long', '30d')],
    [
      'asks for a step',
      (ctx: TaskContext) => ctx.step('next', () => 1).then(() => ctx.sleep('s', 1)),
    ],
  ])(
    'K1 of what runs is answered `requested`, its signal aborts, and it ends cancelled with the reason when it %s',
    async (_what, end) => {
      const gate = new Gate();
      const reasons: unknown[] = [];
      let attempts = 0;
      @Injectable()
      class Tasks {
        @Task('runs', { retry: { maxAttempts: 5, backoff: { type: 'fixed', delay: 1 } } })
        async runs(_event: unknown, ctx: TaskContext) {
          attempts += 1;
          void gate.pass();
          await once(ctx.signal, 'abort');
          reasons.push(ctx.signal.reason);
          await end(ctx);
          throw new Error('It goes on.');
        }
      }
      const { conductor } = await start({ providers: [Tasks] });
      const handle = await conductor.invoke({ name: 'runs' });
      await gate.reached;
      await expect(handle.cancel({ reason: 'changed my mind' })).resolves.toBe('requested');
      await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({
        code: 'CONDUCTOR_EXECUTION_CANCELLED',
        reason: 'changed my mind',
      });
      expect(reasons).toEqual([expect.any(ExecutionCancelledError)]);
      expect(reasons[0]).toMatchObject({ executionId: handle.id, reason: 'changed my mind' });
      const view = await handle.status();
      expect(view).toMatchObject({
        status: 'cancelled',
        attempt: 1,
        cancelReason: 'changed my mind',
      });
      expect(view.cancelRequestedAt!.getTime()).toBeLessThanOrEqual(view.finishedAt!.getTime());
      expect(attempts).toBe(1);
      await expect(handle.cancel()).resolves.toBe('too-late');
    },
  );

  it.each(['its own error', 'a suspension'])(
    'K1 ends it also when %s comes before the request is known to the process',
    async (how) => {
      const gate = new Gate();
      @Injectable()
      class Tasks {
        @Task('runs')
        async runs(_event: unknown, ctx: TaskContext) {
          await gate.pass();
          if (how === 'a suspension') await ctx.sleep('long', '30d');
          throw new Error('its own');
        }
      }
      // no hint, and no beat for a minute
      const { conductor } = await start({ providers: [Tasks], listen: false });
      const handle = await conductor.invoke({ name: 'runs' });
      await gate.reached;
      await apps.database.whileLocked('conductor.worker', async () => {
        await expect(handle.cancel({ reason: 'stop' })).resolves.toBe('requested');
        gate.open();
        await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'stop' });
      });
    },
  );

  it('K1 is not what becomes of a handler that returns its result all the same', async () => {
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('stubborn')
      async stubborn(_event: unknown, ctx: TaskContext) {
        void gate.pass();
        await once(ctx.signal, 'abort');
        return 'done';
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'stubborn' });
    await gate.reached;
    await expect(handle.cancel({ reason: 'late' })).resolves.toBe('requested');
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('done');
    await expect(handle.status()).resolves.toMatchObject({
      status: 'completed',
      cancelReason: 'late',
      cancelRequestedAt: expect.any(Date),
    });
    await expect(handle.cancel()).resolves.toBe('too-late');
  });

  it.each([
    ['a hint, where no beat comes of its own accord', true],
    ['the heartbeat alone', false],
  ])('G10 reaches a handler that runs in another process by %s', async (_by, listen) => {
    const gate = new Gate();
    const aborted = new Gate();
    @Injectable()
    class Tasks {
      @Task('runs')
      async runs(_event: unknown, ctx: TaskContext) {
        void gate.pass();
        await once(ctx.signal, 'abort');
        void aborted.pass();
        ctx.signal.throwIfAborted();
      }
    }
    await start({ providers: [Tasks], listen, ...(listen && { clock: withoutBeats }) });
    const { conductor } = await start({ role: 'client' });
    const handle = await conductor.invoke({ name: 'runs' });
    await gate.reached;
    await expect(handle.cancel({ reason: 'from afar' })).resolves.toBe('requested');
    await aborted.reached;
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'from afar' });
  });

  it('of what sleeps, and of what is blocked, ends it at once', async () => {
    let deployed = 1;
    @Injectable()
    class Tasks {
      @Task('sleeps')
      async sleeps(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('long', '30d');
      }
      @Task('changes')
      async changes(_event: unknown, ctx: TaskContext) {
        if (deployed === 1) await ctx.step('removed', () => 1);
        await ctx.sleep('wait', 50);
      }
      @Task('fails', { retry: { backoff: { type: 'fixed', delay: '5h' } } })
      fails() {
        throw new Error('again in 5 h');
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const changed = await conductor.invoke({ name: 'changes' });
    await until(
      async () =>
        (await statusOf(changed)) !== 'pending' && (await conductor.steps(changed.id)).length === 2,
    );
    deployed = 2;
    const sleeping = await conductor.invoke({ name: 'sleeps' });
    const failing = await conductor.invoke({ name: 'fails' });
    await until(async () => (await statusOf(sleeping)) === 'suspended');
    await until(async () => (await failing.status()).attempt === 2);
    await until(async () => (await statusOf(changed)) === 'blocked', 30_000);
    for (const handle of [changed, sleeping, failing])
      await expect(handle.cancel({ reason: 'enough' })).resolves.toBe('cancelled');
    await expect(failing.status()).resolves.toMatchObject({ status: 'cancelled', attempt: 2 });
    await expect(conductor.resume(changed.id)).resolves.toBe(0);
    for (const handle of [changed, sleeping, failing])
      await expect(handle.result()).rejects.toMatchObject({ reason: 'enough' });
  });

  it('stops what its handler waits for: a step between two tries, a sleep beside a body, a step that has not begun', async () => {
    const gate = new Gate();
    const bodies: string[] = [];
    const told: string[] = [];
    @Injectable()
    class Steps {
      @Step({ retry: { maxAttempts: 5, backoff: { type: 'fixed', delay: '1h' } } })
      async flaky() {
        bodies.push('flaky');
        throw new Error('later');
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly steps: Steps) {}
      @Task('waits')
      async waits(_event: unknown, ctx: TaskContext) {
        const note = (what: string) => (error: Error & { code?: string }) =>
          void told.push(`${what} ${error.code}`);
        const slow = ctx.step('slow', async () => {
          await gate.pass();
          return 'slow';
        });
        const waits = Promise.all([
          this.steps.flaky().catch(note('flaky')),
          ctx.sleep('nap', '1h').catch(note('nap')),
        ]);
        await waits;
        await ctx.step('next', () => bodies.push('next')).catch(note('next'));
        gate.open();
        told.push(await slow); // a body at work comes to its end, and is recorded
        ctx.signal.throwIfAborted();
      }
    }
    const { conductor } = await start({ providers: [Tasks, Steps] });
    const handle = await conductor.invoke({ name: 'waits' });
    await gate.reached;
    await until(async () => (await conductor.steps(handle.id)).length === 2);
    await expect(handle.cancel()).resolves.toBe('requested');
    await expect(handle.result({ timeout: '20s' })).rejects.toBeInstanceOf(ExecutionCancelledError);
    const code = 'CONDUCTOR_EXECUTION_CANCELLED';
    expect(told.slice(0, -1).toSorted()).toEqual([`flaky ${code}`, `nap ${code}`, `next ${code}`]);
    expect(told.at(-1)).toBe('slow');
    expect(bodies).toEqual(['flaky']);
    const steps = await conductor.steps(handle.id);
    expect(steps.find(({ name }) => name === 'slow')).toMatchObject({ status: 'completed' });
  });

  it('takes what a step’s body throws from then on for obedience: no failure, not tried again', async () => {
    const gate = new Gate();
    let tries = 0;
    let seen: unknown;
    @Injectable()
    class Tasks {
      @Task('obeys')
      async obeys(_event: unknown, ctx: TaskContext) {
        try {
          await ctx.step(
            'body',
            async () => {
              tries += 1;
              void gate.pass();
              await once(ctx.signal, 'abort');
              throw new Error('stopped');
            },
            { retry: { maxAttempts: 1 } }, // its error would be recorded, and seen
          );
        } catch (error) {
          seen = error;
          throw error;
        }
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'obeys' });
    await gate.reached;
    await handle.cancel({ reason: 'stop' });
    await until(isCancelled(handle));
    expect(tries).toBe(1);
    expect(seen).toBeInstanceOf(ExecutionCancelledError);
    await expect(conductor.steps(handle.id)).resolves.toEqual([]);
    await expect(apps.database.query('select 1 from conductor.failure')).resolves.toEqual([]);
  });

  it('ends what was claimed ahead and has not begun, without beginning it', async () => {
    const gate = new Gate();
    const ran: unknown[] = [];
    @Injectable()
    class Tasks {
      @Task('one')
      async one(event: { payload: unknown }) {
        ran.push(event.payload);
        if (event.payload === 'first') await gate.pass();
      }
    }
    const { conductor } = await start({
      providers: [Tasks],
      queues: { default: { concurrency: 1 } },
    });
    await conductor.invokeAndWait({ name: 'one' }, 'quick'); // so that it claims ahead
    const [first, second] = await conductor.invokeMany({ name: 'one' }, [
      { payload: 'first' },
      { payload: 'second' },
    ]);
    await gate.reached;
    await expect(second!.cancel()).resolves.toMatch(/^(cancelled|requested)$/);
    await until(isCancelled(second!));
    gate.open();
    await first!.result({ timeout: '20s' });
    expect(ran).toEqual(['quick', 'first']);
  });

  it.each([
    ['a text', 'stop' as never],
    ['an unknown option', { because: 'x' } as never],
    ['an empty reason', { reason: '' }],
    ['a reason that is too long', { reason: 'x'.repeat(1_001) }],
    ['a reason with NUL', { reason: 'a\0b' }],
    ['half of a pair', { reason: '\ud800' }],
  ])('refuses %s, and cancels nothing', async (_what, options) => {
    const { conductor } = await start({ role: 'client' });
    const handle = await conductor.invoke({ name: 'nobody' });
    await expect(handle.cancel(options)).rejects.toMatchObject({
      code: 'CONDUCTOR_INVALID_INVOKE',
    });
    await expect(statusOf(handle)).resolves.toBe('pending');
    await expect(conductor.cancel('x')).rejects.toMatchObject({ code: 'CONDUCTOR_INVALID_INVOKE' });
    await expect(handle.cancel({ reason: '😀 “ok”' })).resolves.toBe('cancelled');
    await expect(handle.status()).resolves.toMatchObject({ cancelReason: '😀 “ok”' });
  });
});
