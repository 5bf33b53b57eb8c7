import { once } from 'node:events';
import { Injectable } from '@nestjs/common';
import { Step, Task, type TaskContext } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const again = { maxAttempts: 2, backoff: { type: 'fixed', delay: 0, jitter: 0 } } as const;
const codeOf = (error: { code: string }) => error.code;

describe('the time-out of an attempt', () => {
  const { start } = testApps();

  it('X11 aborts the signal and fails the attempt; the next one starts when the old handler has ended', async () => {
    const gate = new Gate();
    const seen: string[] = [];
    @Injectable()
    class Tasks {
      @Task('slow', { timeout: 100, retry: again })
      async slow(_event: unknown, ctx: TaskContext) {
        seen.push(`${ctx.attempt} begins`);
        if (ctx.attempt === 2) return 'second';
        await once(ctx.signal, 'abort');
        seen.push(codeOf(ctx.signal.reason as { code: string }));
        await gate.pass();
        seen.push(await ctx.step('late', () => 'ran').catch(codeOf));
        return 'too late';
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'slow' });
    await gate.reached;
    await expect(handle.status()).resolves.toMatchObject({ status: 'running', attempt: 1 });
    gate.open();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('second');
    expect(seen).toEqual([
      '1 begins',
      'CONDUCTOR_ATTEMPT_TIMEOUT',
      'CONDUCTOR_ATTEMPT_TIMEOUT',
      '2 begins',
    ]);
    await expect(conductor.steps(handle.id)).resolves.toEqual([]);
  });

  it('X11 refuses the step that the handler waits for, and fails for good when no attempt is left', async () => {
    const gate = new Gate();
    const seen: string[] = [];
    @Injectable()
    class Tasks {
      @Task('stuck', { timeout: 100, retry: { maxAttempts: 1 } })
      async stuck(_event: unknown, ctx: TaskContext) {
        await ctx.step('body', () => gate.pass()).catch((error) => seen.push(codeOf(error)));
        return 'all the same';
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'stuck' });
    await until(async () => (await handle.status()).status === 'failed');
    gate.open();
    expect(seen).toEqual(['CONDUCTOR_ATTEMPT_TIMEOUT']);
    await expect(conductor.get(handle.id)).resolves.toMatchObject({
      attempt: 1,
      error: {
        name: 'AttemptTimeoutError',
        code: 'CONDUCTOR_ATTEMPT_TIMEOUT',
        message: expect.stringContaining('100 ms'),
      },
    });
  });

  it('X11 leaves a handler behind that ignores its signal, frees its slot, and accepts nothing of it', async () => {
    const gate = new Gate();
    const late: string[] = [];
    @Injectable()
    class Tasks {
      @Task('deaf', { timeout: 100, retry: again })
      async deaf(_event: unknown, ctx: TaskContext) {
        if (ctx.attempt === 2) return 'second';
        await gate.pass();
        late.push(await ctx.step('late', () => 'ran').catch(codeOf));
        return 'first';
      }
    }
    const { conductor } = await start({
      providers: [Tasks],
      queues: { default: { concurrency: 1 } },
    });
    const handle = await conductor.invoke({ name: 'deaf' });
    await expect(handle.result({ timeout: '30s' })).resolves.toBe('second');
    gate.open();
    await until(() => late.length > 0);
    expect(late).toEqual(['CONDUCTOR_ATTEMPT_TIMEOUT']);
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('second');
    await expect(conductor.steps(handle.id)).resolves.toEqual([]);
  });

  it('counts the running time only, and comes from the module’s defaults where the task has none', async () => {
    const seen: string[] = [];
    @Injectable()
    class Tasks {
      @Task('sleeper', { timeout: 150 })
      async sleeper(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('longer than the time-out', 400);
        return ctx.attempt;
      }
      @Task('endless', { retry: { maxAttempts: 1 } })
      async endless(_event: unknown, ctx: TaskContext) {
        await once(ctx.signal, 'abort');
        seen.push(codeOf(ctx.signal.reason as { code: string }));
      }
    }
    const { conductor } = await start({ providers: [Tasks], defaults: { timeout: '1s' } });
    const endless = await conductor.invoke({ name: 'endless' });
    await expect(conductor.invokeAndWait({ name: 'sleeper' }, 0, { timeout: '20s' })).resolves.toBe(
      1,
    );
    await expect(endless.result({ timeout: '20s' })).rejects.toMatchObject({
      cause: { code: 'CONDUCTOR_ATTEMPT_TIMEOUT' },
    });
    expect(seen).toEqual(['CONDUCTOR_ATTEMPT_TIMEOUT']);
  });
});

describe('the time-out of a step', () => {
  const { start } = testApps();

  it('S2 fails one try, which the step’s own retry repeats; the signal tells the body, and its late result is not recorded', async () => {
    const gate = new Gate();
    const seen: unknown[] = [];
    let tries = 0;
    @Injectable()
    class Tasks {
      @Task('slow step', { retry: { maxAttempts: 1 } })
      async slow(_event: unknown, ctx: TaskContext) {
        const value = await ctx.step(
          'body',
          async () => {
            tries += 1;
            if (tries === 2) return 'second';
            const { signal } = ctx;
            await once(signal, 'abort');
            seen.push(codeOf(signal.reason as { code: string }));
            await gate.pass();
            return 'first';
          },
          { timeout: 50, retry: again },
        );
        seen.push(value, ctx.signal.aborted);
        gate.open();
        return await ctx.step('next', () => value);
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'slow step' });
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('second');
    expect(seen).toEqual(['CONDUCTOR_STEP_TIMEOUT', 'second', false]);
    await expect(conductor.steps(handle.id)).resolves.toMatchObject([
      { name: 'body', status: 'completed', result: 'second' },
      { name: 'next', status: 'completed' },
    ]);
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1 });
  });

  it('is an error like any other to the handler, also of a @Step', async () => {
    const gate = new Gate();
    @Injectable()
    class Steps {
      @Step({ timeout: 50 })
      async reserve() {
        await gate.pass();
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly steps: Steps) {}
      @Task('caught')
      async caught(_event: unknown, ctx: TaskContext) {
        const code = await this.steps.reserve().then(() => 'none', codeOf);
        return await ctx.step('after', () => code);
      }
    }
    const { conductor } = await start({ providers: [Tasks, Steps] });
    const handle = await conductor.invoke({ name: 'caught' });
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('CONDUCTOR_STEP_TIMEOUT');
    gate.open();
    await expect(conductor.steps(handle.id)).resolves.toMatchObject([
      { name: 'Steps.reserve', status: 'failed', error: { code: 'CONDUCTOR_STEP_TIMEOUT' } },
      { name: 'after', status: 'completed' },
    ]);
  });

  it('is refused where it cannot be one, before anything runs', async () => {
    let ran = false;
    @Injectable()
    class Tasks {
      @Task('bad', { retry: { maxAttempts: 1 } })
      async bad(_event: unknown, ctx: TaskContext) {
        return await ctx
          .step('body', () => (ran = true), { timeout: '25d' })
          .catch((error: Error) => error.message);
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(
      conductor.invokeAndWait({ name: 'bad' }, 0, { timeout: '20s' }),
    ).resolves.toContain('timeout must be from 1ms to 24d');
    expect(ran).toBe(false);
  });
});
