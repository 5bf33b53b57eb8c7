import { Injectable } from '@nestjs/common';
import {
  DatabaseUnavailableError,
  ExecutionIdConflictError,
  InvalidInvokeError,
  InvalidOptionsError,
  InvalidTaskError,
  ResultTimeoutError,
  SerializationError,
  Task,
  UnknownExecutionError,
  type TaskContext,
} from '../../lib/index.js';
import { testApps } from '../support/test-app.js';

const ID = '0198c7d2-6f6e-4d8f-9a51-0d6c9f1f2a3b';

describe('bad input', () => {
  const apps = testApps('all');
  const { start } = apps;

  it('in options is refused at boot, all problems at once', async () => {
    const refused = await start({
      lease: 'soon',
      roll: 'all',
      queues: { default: { concurrency: 0 } },
    } as never).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidOptionsError);
    expect((refused as InvalidOptionsError).problems).toEqual([
      expect.stringMatching(/roll.*role/),
      expect.stringMatching(/queues\.default\.concurrency/),
      expect.stringMatching(/lease/),
    ]);
  });

  it('in a task’s options is refused at boot, naming the method', async () => {
    @Injectable()
    class Tasks {
      @Task('bad', { retry: { maxAttempts: 0 }, timeuot: 1 } as never)
      bad() {}
    }
    const boot = start({ providers: [Tasks] });
    await expect(boot).rejects.toBeInstanceOf(InvalidTaskError);
    await expect(boot).rejects.toThrow(/Tasks\.bad[\s\S]*timeuot|timeuot[\s\S]*Tasks\.bad/);
  });

  it('in a context that takes a built-in name is refused at boot, by name', async () => {
    class Clashing {
      sleep() {}
      get signal() {
        return 1;
      }
      fine = true;
    }
    @Injectable()
    class Tasks {
      @Task('any')
      any() {}
    }
    const boot = start({ providers: [Tasks], context: Clashing });
    await expect(boot).rejects.toThrow(/"signal"[\s\S]*"sleep"|"sleep"[\s\S]*"signal"/);
  });

  it('in an invoke is refused before anything is written', async () => {
    const { conductor } = await start({ role: 'client' });
    for (const options of [
      { id: 'mine' },
      { delay: 'soon' },
      { delay: 1, runAt: new Date() },
      { runAt: new Date(NaN) },
      { priority: 1.5 },
      { priority: 40_000 },
      { dalay: 1 },
    ]) {
      await expect(conductor.invoke({ name: 'x' }, 0, options as never)).rejects.toBeInstanceOf(
        InvalidInvokeError,
      );
    }
    await expect(conductor.invoke({ name: '' })).rejects.toBeInstanceOf(InvalidInvokeError);
    await expect(conductor.invoke(undefined as never)).rejects.toBeInstanceOf(InvalidInvokeError);
    for (const payload of [() => 1, { a: ['x\u0000'] }, 'x'.repeat(2_000_000), Symbol('s')]) {
      await expect(conductor.invoke({ name: 'x' }, payload)).rejects.toBeInstanceOf(
        SerializationError,
      );
    }
    await expect(conductor.list()).resolves.toEqual({ items: [] });
  });

  it('in an id: another task’s is a conflict, a known one is answered, an unknown one is told', async () => {
    const { conductor } = await start({ role: 'client' });
    await expect(conductor.invoke({ name: 'one' }, 1, { id: ID })).resolves.toMatchObject({
      id: ID,
      outcome: 'created',
    });
    await expect(
      conductor.invoke({ name: 'one' }, 2, { id: ID.toUpperCase() }),
    ).resolves.toMatchObject({ id: ID, outcome: 'existing' });
    await expect(conductor.invoke({ name: 'two' }, 1, { id: ID })).rejects.toBeInstanceOf(
      ExecutionIdConflictError,
    );
    await expect(conductor.get(ID)).resolves.toMatchObject({ payload: 1 });
    await expect(conductor.handle(ID).result({ timeout: 30 })).rejects.toBeInstanceOf(
      ResultTimeoutError,
    );
    const nobody = '0198c7d2-6f6e-4d8f-9a51-000000000000';
    await expect(conductor.get(nobody)).resolves.toBeUndefined();
    await expect(conductor.handle(nobody).status()).rejects.toBeInstanceOf(UnknownExecutionError);
    await expect(conductor.handle(nobody).result()).rejects.toBeInstanceOf(UnknownExecutionError);
    expect(() => conductor.handle('not-an-id')).toThrow(InvalidInvokeError);
    await expect(conductor.list({ status: 'done' as never })).rejects.toBeInstanceOf(
      InvalidInvokeError,
    );
  });

  it('in a call of step or sleep is refused before anything runs', async () => {
    let ran = false;
    @Injectable()
    class Tasks {
      @Task('bad-calls')
      async handle(_event: unknown, ctx: TaskContext) {
        const run = () => (ran = true);
        const calls: Promise<unknown>[] = [
          ctx.step('', run),
          ctx.step(7 as never, run),
          ctx.step('nul\u0000', run),
          ctx.step('x'.repeat(501), run),
          ctx.step('no function', undefined as never),
          ctx.step('bad retry', run, { retry: { maxAttempts: NaN } }),
          ctx.step('bad backoff', run, {
            retry: { backoff: { type: 'fixed', delay: 'soon' as never } },
          }),
          ctx.step('unknown option', run, { timout: 1 } as never),
          ctx.sleep('bad duration', 'soon' as never),
        ];
        const codes = await Promise.all(
          calls.map((call) => call.catch((error: Error & { code: string }) => error.code)),
        );
        return [...new Set(codes)];
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(
      conductor.invokeAndWait({ name: 'bad-calls' }, 0, { timeout: '10s' }),
    ).resolves.toEqual(['CONDUCTOR_INVALID_STEP']);
    expect(ran).toBe(false);
  });

  it('in what a step returns fails that step, typed and with the path; its neighbours are settled', async () => {
    @Injectable()
    class Tasks {
      @Task('bad-result', { retry: { maxAttempts: 1 } })
      async bad(_event: unknown, ctx: TaskContext) {
        return await ctx
          .step('leak', () => ({ rows: [{ f: () => 1 }] }))
          .catch((error: Error & { code: string }) => [error.code, error.message]);
      }
      @Task('bad-return', { retry: { maxAttempts: 1 } })
      badReturn() {
        return { circular: new Map([[1, () => 1]]) };
      }
      @Task('good')
      good() {
        return 'good';
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const [caught, failed, good] = await Promise.all([
      conductor.invokeAndWait<string[]>({ name: 'bad-result' }, 0, { timeout: '10s' }),
      conductor
        .invokeAndWait({ name: 'bad-return' }, 0, { timeout: '10s' })
        .catch((error: Error) => error),
      conductor.invokeAndWait({ name: 'good' }, 0, { timeout: '10s' }),
    ]);
    expect(caught[0]).toBe('CONDUCTOR_SERIALIZATION');
    expect(caught[1]).toContain('rows[0].f');
    expect((failed as Error).cause).toMatchObject({ code: 'CONDUCTOR_SERIALIZATION' });
    expect(good).toBe('good');
  });

  it('in the address of the database refuses to boot, and shows no password', async () => {
    const boot = start({ url: 'postgres://me:s3cret@127.0.0.1:1/nowhere' });
    await expect(boot).rejects.toBeInstanceOf(DatabaseUnavailableError);
    await expect(boot).rejects.toThrow(/127\.0\.0\.1:1\/nowhere/);
    await expect(boot).rejects.not.toThrow(/s3cret/);
  });
});
