import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import {
  ConductorStoppedError,
  defineTask,
  InvalidInvokeError,
  RetryAfterError,
  Task,
  type TaskContext,
} from '../../lib/index.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const again = { maxAttempts: 3, backoff: { type: 'fixed', delay: 0, jitter: 0 } } as const;

describe('what goes wrong', () => {
  const { start } = testApps();

  it('X5 is recorded and retried whatever was thrown, a revoked Proxy included, by a handler and by a step', async () => {
    const revoked = (): unknown => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    };
    const hostile = (): unknown =>
      new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error('trap');
          },
          get: () => {
            throw new Error('trap');
          },
        },
      );
    let bodies = 0;
    @Injectable()
    class Tasks {
      @Task('thrown', { retry: again })
      thrown(event: { payload: string }, ctx: TaskContext) {
        if (ctx.attempt < 3) throw event.payload === 'revoked' ? revoked() : hostile();
        return ctx.attempt;
      }
      @Task('step', { retry: { maxAttempts: 1 } })
      async step(_event: unknown, ctx: TaskContext) {
        return await ctx.step(
          'body',
          () => {
            bodies += 1;
            if (bodies < 3) throw revoked();
            return bodies;
          },
          { retry: again },
        );
      }
    }
    const { conductor, orchestrator } = await start({ providers: [Tasks] });
    for (const payload of ['revoked', 'hostile'])
      await expect(
        conductor.invokeAndWait({ name: 'thrown' }, payload, { timeout: '20s' }),
      ).resolves.toBe(3);
    await expect(conductor.invokeAndWait({ name: 'step' }, 0, { timeout: '20s' })).resolves.toBe(3);
    await until(() => orchestrator.info.running === 0);
  });

  it('X7 keeps the time of a RetryAfterError that a step threw, also when it comes back from the record', async () => {
    @Injectable()
    class Tasks {
      @Task('later')
      async later(_event: unknown, ctx: TaskContext) {
        const error = await ctx
          .step('ask', () => {
            throw new RetryAfterError('2h');
          })
          .catch((caught: unknown) => caught);
        await ctx.sleep('nap', 50); // a new activation: the error is one of the record now
        throw error;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'later' });
    const view = await until(async () => {
      const found = await handle.status();
      return found.attempt === 2 && found;
    });
    expect(view.runAt!.getTime() - view.startedAt!.getTime()).toBeGreaterThan(2 * 3_600_000 - 1);
  });

  it('S8 does not run a step again whose result cannot be stored: it has had its effect', async () => {
    let charged = 0;
    class Receipt {
      refund() {}
    }
    @Injectable()
    class Tasks {
      @Task('charge', { retry: again })
      async charge(_event: unknown, ctx: TaskContext) {
        await ctx.step(
          'charge',
          () => {
            charged += 1;
            return new Receipt();
          },
          { retry: again },
        );
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'charge' });
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({
      cause: { code: 'CONDUCTOR_SERIALIZATION' },
    });
    expect(charged).toBe(1);
  });

  it('stores a payload as it was when it was passed, and checked', async () => {
    const counted = defineTask({ name: 'counted', payload: z.object({ n: z.number().max(9) }) });
    @Injectable()
    class Tasks {
      @Task(counted)
      run({ payload }: { payload: { n: number } }) {
        return payload.n;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const payload = { n: 0 };
    const invokes = [0, 1, 2].map((n) => {
      payload.n = n;
      return conductor.invoke(counted, payload);
    });
    const many = conductor.invokeMany(counted, [{ payload }]);
    payload.n = 100;
    const handles = [...(await Promise.all(invokes)), ...(await many)];
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })));
    expect(results).toEqual([0, 1, 2, 2]);
  });

  it('writes nothing when the time to wait for the result is none', async () => {
    @Injectable()
    class Tasks {
      @Task('job')
      job() {
        return 1;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(
      conductor.invokeAndWait({ name: 'job' }, 0, { timeout: 'soon' as never }),
    ).rejects.toBeInstanceOf(InvalidInvokeError);
    await expect(conductor.list()).resolves.toMatchObject({ items: [] });
    const handle = await conductor.invoke({ name: 'job' });
    await expect(handle.result({ timeout: NaN })).rejects.toBeInstanceOf(InvalidInvokeError);
  });
});

describe('calls without types', () => {
  const { start } = testApps();

  it('are refused with a typed error that names what is wrong, and write nothing', async () => {
    @Injectable()
    class Tasks {
      @Task('job')
      job() {
        return 1;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const job = { name: 'job' };
    const untyped = conductor as unknown as Record<
      'invoke' | 'invokeMany' | 'list' | 'get',
      (...args: unknown[]) => Promise<unknown>
    >;
    const calls: [keyof typeof untyped, unknown[], string][] = [
      ['invoke', [job, 1, null], 'the options must be an object, and is null'],
      ['invoke', [job, 1, 5], 'the options must be an object, and is 5'],
      ['invoke', [job, 1, { delay: 10n }], 'delay: 10 is not a duration'],
      ['invoke', [job, 1, { runAt: new Date(-8.64e15) }], 'runAt must be a valid Date'],
      ['invoke', [job, 1, { dely: 1 }], 'did you mean delay?'],
      ['invokeMany', [job, null], 'the items must be an array'],
      ['invokeMany', [job, 'ab'], 'the items must be an array'],
      ['invokeMany', [job, [{ payload: 1 }, null]], 'item 1 must be an object, and is null'],
      ['invokeMany', [job, [1]], 'item 0 must be an object, and is 1'],
      ['list', [null], 'the filter must be an object'],
      ['list', [{ foo: 1 }], 'foo'],
      ['list', [{ queue: 'a\0' }], 'queue'],
      ['list', [{ limit: 0 }], 'limit'],
      ['list', [{ since: new Date(-8.64e15) }], 'since must be a valid Date'],
      ['list', [{ status: 'done' }], '"done" does not exist'],
      ['get', [10n], '10 is not the id of an execution'],
    ];
    for (const [method, args, text] of calls) {
      const error = await untyped[method](...args).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(InvalidInvokeError);
      expect((error as Error).message).toContain(text);
    }
    await expect(conductor.list()).resolves.toMatchObject({ items: [] });
  });
});

describe('the orchestrator, in haste', () => {
  const { start } = testApps();

  @Injectable()
  class Tasks {
    @Task('slow')
    async slow(_event: unknown, ctx: TaskContext) {
      await ctx.step('work', () => new Promise((resolve) => setTimeout(resolve, 100)));
    }
  }

  it('starts and stops in the order in which it was told to', async () => {
    const { orchestrator } = await start({ providers: [Tasks], autoStart: false });
    const starting = orchestrator.start();
    await orchestrator.stop();
    await starting;
    expect(orchestrator.info).toMatchObject({ isRunning: false, isStopped: true });
    const { start: on, stop: off } = {
      start: () => orchestrator.start(),
      stop: () => orchestrator.stop(),
    };
    await Promise.all([on(), on(), off(), on(), off(), off()]);
    expect(orchestrator.info).toMatchObject({ isRunning: false, isStopped: true });
    await Promise.all([off(), on(), off(), on()]);
    expect(orchestrator.info).toMatchObject({ isRunning: true, isStopped: false });
    await orchestrator.started;
  });

  it('ends a drain when it is stopped meanwhile', async () => {
    const { orchestrator, conductor } = await start({
      providers: [Tasks],
      autoStart: false,
      queues: { default: { concurrency: 1 } },
    });
    await conductor.invokeMany(
      { name: 'slow' },
      Array.from({ length: 50 }, () => ({ payload: 0 })),
    );
    const draining = orchestrator.drain();
    await until(() => orchestrator.info.running > 0);
    await orchestrator.stop();
    await draining;
    expect(orchestrator.info).toMatchObject({ isRunning: false, running: 0 });
    await expect(conductor.queues()).resolves.toMatchObject([{ running: 0 }]);
  });

  it('has started and stopped as a client too, which runs nothing', async () => {
    const { orchestrator } = await start({ providers: [Tasks], role: 'client' });
    await orchestrator.started;
    expect(orchestrator.info).toMatchObject({ isRunning: false });
    await orchestrator.stop();
    await orchestrator.stopped;
    expect(orchestrator.info.isStopped).toBe(true);
  });

  it('says that it is closed when it is told to start after that', async () => {
    const app = await start({ providers: [Tasks] });
    await app.close();
    await expect(app.orchestrator.start()).rejects.toBeInstanceOf(ConductorStoppedError);
    await expect(app.orchestrator.drain()).rejects.toBeInstanceOf(ConductorStoppedError);
  });
});
